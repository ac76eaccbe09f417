"""What a config reads from an annotation file."""

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.datasets import clip_cache, save_annotations, summarize_annotations
from stars_mm.preparation.layouts import get_layout

SPLITS = ('xview_train', 'xview_val', 'xsub_train', 'xsub_val')


def write(path, joints=17, channels=2, persons=(1, 2), splits=SPLITS, unit=1.0, **extra):
    """Six clips, two in each test split; 2D ones have scores."""
    rng = np.random.default_rng(0)
    clips = []
    for number in range(6):
        shape = (persons[number % len(persons)], 20 + number, joints, channels)
        keypoint = rng.normal(5, 1, shape).astype('f4') * unit
        clips.append(dict(frame_dir=f'clip{number}', label=number % 3, keypoint=keypoint))
        if channels == 2:
            clips[-1]['keypoint_score'] = rng.uniform(size=shape[:3]).astype('f4')
    names = [clip['frame_dir'] for clip in clips]
    parts = [names[4:] if name.endswith(('val', 'test')) else names[:4] for name in splits]
    save_annotations(str(path), clips, dict(zip(splits, parts)), **extra)
    return str(path)


def test_what_a_file_says(tmp_path, monkeypatch):
    skeleton = get_layout('coco-17').to_dict()
    says = dict(layout='coco-17', skeleton=skeleton, class_names=['a', 'b', 'c', 'd'])
    path = write(tmp_path / 'a.npz', **says)
    assert summarize_annotations(path) == dict(
        num_joints=17,
        coordinates=2,
        in_channels=3,
        num_person=2,
        num_classes=4,
        train_clips=4,
        train_split='xview_train',  # the first of the file
        val_split='xview_val',
        layout=skeleton,
        center=0,
        align=(5, 6),
        left=tuple(range(1, 17, 2)),
        right=tuple(range(2, 17, 2)),
        unit='px',
        mapped=False,
    )
    with monkeypatch.context() as patch:  # the clips are read once, when the store is made
        patch.setattr(clip_cache, 'load_annotations', None)
        assert summarize_annotations(path, 'h36m-17')['unit'] == 'm'
    write(path, layout='coco-17', persons=(3,))
    assert summarize_annotations(path)['num_person'] == 3
    found = summarize_annotations(str(tmp_path / 'none.pkl'), 'h36m-17')
    assert (found['num_joints'], found['in_channels']) == (17, 3)


def test_clips_that_can_be_are_brought_to_other_joints(tmp_path):
    path = write(tmp_path / 'a.pkl', joints=20, channels=3, layout='kinect-20')
    common = get_layout('common-15')
    found = summarize_annotations(path, target='common-15')
    assert found['mapped'] and found['layout']['name'] == 'kinect-20'
    for key in ('num_joints', 'center', 'align', 'left', 'right'):
        assert found[key] == getattr(common, key)
    assert summarize_annotations(path)['num_joints'] == 20
    parents = [None, *range(19)]
    joints = [f'marker {n}' for n in range(20)]
    other = dict(name='markers', joints=joints, parents=parents, center=0, pairs=[], unit='m')
    assert summarize_annotations(path, other, target='common-15')['num_joints'] == 20
    flat = write(tmp_path / 'b.pkl', layout='coco-17')
    assert not summarize_annotations(flat, target='common-15')['mapped']


def test_the_environment_turns_the_knobs(tmp_path, monkeypatch, repo_root):
    names = ('a_train', 'a_val', 'b_train', 'b_val')
    path = write(tmp_path / 'a.pkl', 20, 3, splits=names, layout='kinect-20')
    knobs = dict(ANN_FILE=path, PRETRAIN_ITERS='11', BATCH_SIZE='2', TURN='0', MIRROR='1')
    knobs |= dict(START='encoder.pth', TRAIN_SPLIT='b_train', VAL_SPLIT='a_val')
    for name, value in knobs.items():
        monkeypatch.setenv(name, value)
    cfg = Config.fromfile(repo_root / 'configs/stars_custom.py')
    first = Config.fromfile(repo_root / 'configs' / cfg.stages[0].config)
    # two iterations an epoch: 11 are five or six epochs, 30 % of them two
    assert (first.train_cfg.max_epochs, cfg.train_cfg.max_epochs) in [(5, 2), (6, 2)]
    assert first.model.backbone.init_cfg.checkpoint == 'encoder.pth'
    assert 'init_cfg' not in cfg.model.backbone
    data = cfg.train_dataloader.dataset
    assert (data.split, cfg.val_dataloader.dataset.split) == ('b_train', 'a_val')
    kinds = {step.type: step for step in data.pipeline}
    assert kinds['CenterSkeleton'].align is None and 'RandomMirror' in kinds
    monkeypatch.setenv('START', 'scratch')
    monkeypatch.setenv('TURN', '1')
    first = Config.fromfile(repo_root / 'configs' / cfg.stages[0].config)
    assert first.model.backbone.init_cfg is None
    assert tuple(first.train_pipeline[1].align) == get_layout('common-15').align


def test_files_that_say_less(tmp_path):
    path = write(tmp_path / 'a.pkl', joints=20, channels=3, splits=('train', 'test'))
    found = summarize_annotations(path, 'kinect-20')
    assert (found['num_classes'], found['in_channels']) == (3, 3)
    assert (found['train_split'], found['val_split']) == ('train', 'test')
    assert summarize_annotations(path, 'kinect-20', 'test', 'train')['train_clips'] == 2
    other = write(tmp_path / 'b.pkl', splits=('one', 'two'), layout='coco-17')
    save_annotations(str(tmp_path / 'c.pkl'), [dict(frame_dir='a', keypoint=None)], {})
    clip = dict(frame_dir='a', keypoint=np.ones((1, 4, 17, 2)), label=1 << 40)
    save_annotations(str(tmp_path / 'd.pkl'), [clip], dict(train=['a']))  # a head of terabytes
    for names in (5, 'ab', {'a': 1}, np.zeros((2, 2))):  # no list of names: the labels count
        save_annotations(
            str(tmp_path / 'e.pkl'), [dict(clip, label=6)], dict(train=['a']), class_names=names
        )
        assert (
            summarize_annotations(str(tmp_path / 'e.pkl'), 'coco-17', 'train', 'train')[
                'num_classes'
            ]
            == 7
        )
    for given, message in (
        ([str(tmp_path / 'd.pkl')], r'd\.pkl: has 1099511627777 classes, and 10000 are the most'),
        ([path], r'a\.pkl: does not say what its joi'),
        ([path, 'coco-17'], "20 joints, layout 'coco-17' 17"),
        ([path, 'kinect-20', None, 'x'], r"val_split='x' .*\['train',"),
        ([other], 'train_split=None is none of its'),
        ([str(tmp_path / 'c.pkl')], 'holds no sound clips'),
    ):
        with pytest.raises(ValueError, match=message):
            summarize_annotations(*given)


@pytest.mark.parametrize(
    'layout, channels, unit', [('coco-17', 2, 'px'), ('h36m-17', 3, 'other'), ('kinect-20', 3, 'm')]
)
def test_the_recipe_takes_the_file(tmp_path, monkeypatch, repo_root, layout, channels, unit):
    layout, meters = get_layout(layout), unit == 'm'
    says = dict(layout=layout.name, skeleton=dict(layout.to_dict(), unit=unit))
    size = 1.0 if meters else 300.0
    path = write(tmp_path / 'lab.pkl', layout.num_joints, channels, unit=size, **says)
    monkeypatch.setenv('ANN_FILE', path)
    cfg = Config.fromfile(repo_root / 'configs/stars_custom.py')
    assert cfg.train_dataloader.batch_size == 4  # all there are
    with DefaultScope.overwrite_default_scope('mmaction'):
        data = DATASETS.build(cfg.train_dataloader.dataset)
        model = MODELS.build(cfg.model)
    data.set_epoch(0, 0)
    clips = torch.stack([data[i]['inputs'] for i in range(4)])
    joints = layout.num_joints if channels == 2 else 15  # those that skeletons have in common
    assert clips.shape == (4, 1, 2, 64, joints, 3)
    assert model.extract_feat(clips).isfinite().all()
    places = clips[:, :, 0, ..., :channels]
    size = (places - places.mean(-2, keepdim=True)).square().sum(-1).mean(-1).sqrt()
    assert meters or 0.3 < size.median() < 0.6  # noise, and the time warp evens it out


def test_a_file_without_labels(tmp_path, make_clip):
    path = str(tmp_path / 'a.pkl')
    clips = [make_clip(n, (1, 9, 17, 3)) for n in range(4)]
    for clip in clips:
        del clip['label']
    names = [clip['frame_dir'] for clip in clips]
    save_annotations(path, clips, dict(train=names), layout='h36m-17')
    found = summarize_annotations(path)
    assert found['num_classes'] is None
    assert found['train_split'] == found['val_split'] == 'train'
    save_annotations(
        path, [dict(clip, label=1) for clip in clips], dict(train=names), layout='h36m-17'
    )
    with pytest.raises(ValueError, match='val_split=None is none of its splits'):
        summarize_annotations(path)
