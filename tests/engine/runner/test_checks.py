"""What can be found wrong is found before anything is trained."""

import pickle
from pathlib import Path

import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from torch import nn

from stars_mm.engine.runner.checks import check_dataset, check_pretrained, check_queue
from stars_mm.utils.input_error import InputError


@pytest.fixture
def refuses(load_cfg, build, tmp_path):
    """Trains the recipe with some changes, and expects the error at once."""

    def _refuses(error, message, options={}, stage={}) -> None:
        cfg = load_cfg(tmp_path / 'run', options)
        if stage:
            cfg.stages[0].options.update(stage)
        with pytest.raises(error, match=f'(?s){message}'):
            build(cfg).train()
        assert not list(tmp_path.rglob('epoch_*.pth'))
        assert 'Epoch(train)' not in ''.join(log.read_text() for log in tmp_path.rglob('*.log'))

    return _refuses


def everywhere(key: str, value) -> dict:
    """An option of every data set of a config."""
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    loaders += ('val_cfg.bank_dataloader', 'test_cfg.bank_dataloader')
    return {f'{loader}.dataset.{key}': value for loader in loaders}


def pipeline(clip_len: int) -> list:
    """Without a rotation, which needs three channels."""
    return [
        dict(type='TemporalCropResize', clip_len=clip_len, p_interval=1.0),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs', meta_keys=('sample_idx',)),
    ]


MISSING_BANK = {'val_cfg.bank_dataloader.dataset.ann_file': 'data/ntu60_3d.pkl'}
MISSPELT = {'train_dataloader.dataset.split': 'xsub_trian'}
SHORT = {'val_dataloader.dataset.pipeline': pipeline(6)}
STAGE = dict(name='a', config='stage1/mamp.py')
SCALE, UNSCALED = {'auto_scale_lr.enable': True}, dict(auto_scale_lr=dict(_delete_=True))
V, F = ValueError, FileNotFoundError
#: error, message, options of the config, options of its first stage
CASES = [
    (V, r'stars\.py: STARS needs a pre.*load_from=PATH.*allow_random_init', dict(stages=[]), {}),
    (V, 'nothing initialises', dict(stages=[], resume=True), {}),
    (F, 'nowhere.pth', dict(load_from='nowhere.pth'), {}),
    (V, r'head\.queue_size=3 .* each of 1 processes = 4', {'model.head.queue_size': 3}, {}),
    (F, r'stars\.py names .*"b\.py"', dict(stages=[dict(name='a', config='b.py')]), {}),
    (V, r'stages\[1\] of .*stars\.py has the name "a"', dict(stages=[STAGE] * 2), {}),
    (V, r"stages\[0\] of .*'option'\]", dict(stages=[dict(STAGE, option={})]), {}),
    (V, r'mamp\.py has no auto_scale_lr\.base_batch_size', SCALE, UNSCALED),
    (F, "ann_file='data/ntu60_3d.pkl'.* download", MISSING_BANK, {}),
    (V, r'have 6 frames after the pipeline \(its clip_len\), but model\.b.*=8', SHORT, {}),
    (V, "split='xsub_trian'.*'xsub_train', 'xsub_val'", {}, MISSPELT),
    (
        V,
        r'model of stage config .*mamp\.py: does not fit.*24',
        {},
        {'model.backbone.embed_dims': 24},
    ),
    (V, "layer_decya = 1 .*'layer_decay'", {'optim_wrapper.paramwise_cfg.layer_decya': 1}, {}),
]


@pytest.mark.parametrize('case', CASES, ids=[message[:20] for _, message, *_ in CASES])
def test_found_before_training(refuses, case):
    refuses(*case)


@pytest.mark.parametrize(
    'layout, message, own',
    [
        (dict(num_joints=4), r'4 joints, but model\.backbone\.num_joints=5 in .*\.py', True),
        (dict(num_channels=2), '2 channels.*in_channels=3', False),
        (dict(num_persons=3), '3 persons, but the pipeline keeps 2', True),
    ],
)
def test_data_that_does_not_fit(refuses, write_ann_file, tmp_path, layout, message, own):
    options = everywhere('ann_file', write_ann_file(tmp_path / 'other.pkl', **layout))
    if 'num_channels' in layout:
        options.update(everywhere('pipeline', pipeline(8)))
    refuses(ValueError, rf'other\.pkl.*{message}', *((options,) if own else ({}, options)))


@pytest.mark.parametrize('where', ['model', 'backbone'])
def test_pretrained_by_init_cfg(load_cfg, tmp_path, where):
    cfg = load_cfg(tmp_path)
    init_cfg = dict(type='Pretrained', checkpoint='epoch_1.pth')
    (cfg.model if where == 'model' else cfg.model.backbone).init_cfg = init_cfg
    check_pretrained(cfg, MODELS.build(cfg.model), initialized=False)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(embed_dims=24), r'backbone\.temporal_embed: \(1, 4, 1, 24\) .* \(1, 4, 1, 16\)'),
        (dict(depth=1), r'lacks 12 of .* 30 tensors.*"backbone\.blocks\.1'),
        (None, 'lacks 30 of the.*No encoder is in the file'),
    ],
)
def test_unfit_checkpoint(refuses, load_cfg, tmp_path, change, message):
    cfg = load_cfg(tmp_path, name='mamp')
    cfg.model.backbone.update(change or {})
    state = MODELS.build(cfg.model).state_dict()
    if change is None:
        state = {name: value for name, value in state.items() if name.startswith('neck.')}
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict=state), path)
    refuses(InputError, f'{path}: .*{message}', dict(load_from=path))


def test_queue_on_two_processes(load_cfg, tmp_path):
    cfg = load_cfg(tmp_path, {'model.head.queue_size': 7})
    model = MODELS.build(cfg.model)
    check_queue(cfg, model, world_size=1)
    with pytest.raises(ValueError, match='each of 2 processes = 8'):
        check_queue(cfg, model, world_size=2)
    both = nn.Module()  # a stage with both losses
    both.head, both.contrast_head = nn.Identity(), model.head
    with pytest.raises(ValueError, match='model.contrast_head.queue_size=7'):
        check_queue(cfg, both, world_size=2)


def written(ann_file, path, change, **extra) -> str:
    content = pickle.loads(Path(ann_file).read_bytes())
    for number, clip in enumerate(content['annotations']):
        change(number, clip)
    path.write_bytes(pickle.dumps(dict(content, **extra)))
    return str(path)


def test_bodies_of_another_unit(load_cfg, build, ann_file, tmp_path):
    """Where the file says that it is in metres."""
    joints = dict(joints=list('abcde'), parents=[None, *'aaaa'], center='b', name='five')
    extra = dict(skeleton=dict(joints, unit='m'))
    metres = written(ann_file, tmp_path / 'm.pkl', lambda n, clip: None, **extra)

    def as_mm(number, clip):
        clip['keypoint'] *= 300

    mm = written(ann_file, tmp_path / 'mm.pkl', as_mm, **extra)
    other = dict(skeleton=dict(joints, unit='other'))
    for path, wrong in (
        (metres, False),
        (mm, True),
        (written(mm, tmp_path / 'o.pkl', lambda n, c: None, **other), False),
    ):
        runner = build(load_cfg(tmp_path / 'run', everywhere('ann_file', path), name='mamp'))
        if wrong:
            with pytest.raises(ValueError, match=r'mm\.pkl: the layout declares metres.*--unit mm'):
                runner.build_train_loop(runner.cfg.train_cfg)
        else:
            runner.build_train_loop(runner.cfg.train_cfg)


def test_a_classifier_needs_labels(load_cfg, ann_file, tmp_path):
    def unlabel(number, clip):
        if number in (2, 7):
            del clip['label']

    cfg = load_cfg(tmp_path)
    dataset = dict(cfg.test_dataloader.dataset, split='xsub_train')
    dataset['ann_file'] = written(ann_file, tmp_path / 'some.pkl', unlabel)
    dataset = DATASETS.build(dataset)
    check_dataset(dataset, MODELS.build(cfg.model), cfg)
    head = dict(type='LinearProbeHead', num_classes=3, in_channels=16)
    model = dict(type='RecognizerGCN', backbone=cfg.model.backbone, cls_head=head)
    with pytest.raises(ValueError, match=r"2 of 21 clips have no label, such as 'clip2', and Rec"):
        check_dataset(dataset, MODELS.build(model), cfg)
