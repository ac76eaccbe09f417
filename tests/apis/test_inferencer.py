"""Features by the inferencer are those of the data sets and models that training uses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.apis import SkeletonInferencer
from stars_mm.apis.encoder import PackedEncoder
from stars_mm.engine.features import extract_features
from stars_mm.evaluation.protocols.features import Encoder
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.utils.input_error import InputError
from tests.apis.conftest import skeleton


@pytest.fixture(scope='module')
def ann_file(tmp_path_factory):
    clips = [
        dict(frame_dir=f'{label}{n}', label=k, keypoint=skeleton(label, n), total_frames=40)
        for k, label in enumerate(('wave', 'sit'))
        for n in range(2)
    ]
    path = str(tmp_path_factory.mktemp('data') / 'ann.pkl')
    save_annotations(path, clips, {}, class_names=['wave', 'sit'], layout='ntu-25')
    return path


def test_features_are_those_of_the_test_loop(encode, ann_file, repo_root):
    """Independent path: the config's data set, loader and model."""
    cfg = Config.fromfile(repo_root / 'configs/stars_union.py')
    pipeline = cfg.test_dataloader.dataset.pipeline
    model = Encoder.load('stars://common-15').build_model(cfg)
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(
            dict(type='SkeletonDataset', ann_file=ann_file, pipeline=pipeline, test_mode=True)
        )
    samples = [dataset[n] for n in range(len(dataset))]
    batch = dict(
        inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'] for s in samples]
    )
    expected = extract_features(model, [batch]).features.numpy()
    found = encode(ann_file)
    assert found.dtype == np.float32 and found.shape == (4, 256)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_layouts_are_mapped_by_name(encode):
    """Shuffled joints of a layout of one's own that has the same names."""
    from stars_mm.preparation.layouts import get_layout

    layout, clip = get_layout('ntu-25'), skeleton('wave', 0)
    order = np.random.default_rng(0).permutation(25).tolist()
    mine = dict(
        name='mine',
        joints=[layout.joints[n] for n in order],
        parents=[layout.joints[layout.parents[n]] for n in order],
        center='spine_mid',
    )
    one = encode(clip, layout='ntu-25')
    np.testing.assert_allclose(encode(clip[:, :, order], layout=mine), one, atol=1e-5)


def test_pixels_are_turned_up_and_scaled(encode):
    """2D in pixels, y downwards, is the flat body in metres of the same size."""
    from stars_mm.preparation.layouts import get_layout

    coco = get_layout('coco-17')
    flat = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 20, 17, 2)).astype(np.float32)
    pixels = 300 * flat * np.float32([1, -1]) + 640
    solid = np.concatenate([flat, np.zeros_like(flat[..., :1])], -1)
    in_metres = dict(coco.to_dict(), unit='other')  # scaled as pixels are
    np.testing.assert_allclose(
        encode(pixels, layout='coco-17'), encode(solid, layout=in_metres), atol=1e-4
    )


def test_confidences_of_2d_joints_are_not_depth(encode):
    """An encoder of 3D joints leaves them out; they are the last channel of one that maps none."""
    from stars_mm.apis.inputs import InputClip
    from stars_mm.preparation.layouts import get_layout

    flat = np.random.default_rng(0).uniform(0, 300, (1, 20, 17, 2)).astype(np.float32)
    score = np.random.default_rng(1).uniform(0, 1, (1, 20, 17)).astype(np.float32)
    clip = InputClip('a', flat, get_layout('coco-17'), score=score)
    np.testing.assert_array_equal(encode(clip), encode(flat, layout='coco-17'))

    backbone = dict(encode.encoder.model['backbone'], num_joints=17, in_channels=3)
    steps = [dict(type='FormatGCNInput', num_person=1)]
    own = PackedEncoder('own', dict(encode.encoder.model, backbone=backbone), steps, {})
    found = SkeletonInferencer(own, device='cpu').prepare(clip)
    np.testing.assert_array_equal(found[0, 0], np.concatenate([flat[0], score[0, ..., None]], -1))


def test_wrong_joints_are_an_error(encode):
    with pytest.raises(ValueError, match='has 20 joints; layout .ntu-25. has 25'):
        encode(np.ones((1, 9, 20, 3)), layout='ntu-25')
    with pytest.raises(ValueError, match='cannot be mapped'):
        encode(
            np.random.rand(1, 9, 2, 3),
            layout=dict(joints=['a', 'b'], parents=[None, 'a'], center='a'),
        )
    with pytest.raises(ValueError, match='There is no clip'):
        encode([])


def test_model_names(repo_root, tmp_path):
    assert PackedEncoder.load('common-15').name == 'common-15'
    with pytest.raises(ValueError, match='no name of model-index.yml .*common-15'):
        PackedEncoder.load('comon-15')
    with pytest.raises(ValueError, match='Give a checkpoint'):
        PackedEncoder.load(repo_root / 'configs/stars_union.py')
    with pytest.raises(FileNotFoundError, match='gone.pth'):
        PackedEncoder.load(repo_root / 'configs/stars_union.py', tmp_path / 'gone.pth')


def test_config_and_checkpoint_are_the_encoder_that_ships(repo_root, encode):
    """The index of what ships says what its config says."""
    loaded = PackedEncoder.load(repo_root / 'configs/stars_union.py', 'stars://common-15')
    assert (loaded.model, loaded.pipeline) == (encode.encoder.model, encode.encoder.pipeline)
    for name, weight in encode.encoder.weights.items():
        torch.testing.assert_close(loaded.weights[name], weight)


def test_arrays_there_and_back(encode):
    arrays = encode.encoder.to_arrays()
    again = SkeletonInferencer(PackedEncoder.from_arrays(arrays, 'file'), device='cpu')
    clip = skeleton('wave', 0)
    np.testing.assert_array_equal(again(clip, layout='ntu-25'), encode(clip, layout='ntu-25'))


def stgcn(**options):
    graph = dict(layout='nturgb+d', mode='stgcn_spatial')
    return dict(type='STGCN', graph_cfg=graph, **options)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda about: about['model'].update(type='os.system'), "type='os.system'"),
        (lambda about: about['model']['backbone'].update(type='subprocess.run'), 'subprocess'),
        (lambda about: about['model']['backbone'].update(init_cfg=dict(type='x')), 'init_cfg'),
        (lambda about: about['model']['backbone'].update(_scope_='stranger'), '_scope_'),
        (lambda about: about['pipeline'][0].update(_scope_='stranger'), '_scope_'),
        (lambda about: about['model'].update(backbone=stgcn(tcn_norm='stranger.code')), 'stranger'),
        (lambda about: about['pipeline'].append(dict(type='LoadImageFromFile')), 'LoadImage'),
        (lambda about: about['pipeline'][0].update(source='/etc/passwd.json'), 'source'),
        (lambda about: about['model'].pop('backbone'), 'file: '),
        (lambda about: about.pop('pipeline'), 'pipeline'),
        (lambda about: about['model']['backbone'].update(depth=4000), 'larger than its weights'),
        (lambda about: about['model']['backbone'].update(mlp_ratio=4000), 'larger than its weigh'),
        (lambda about: about['model']['backbone'].update(embed_dims=10**12), 'embed_dims=1000'),
        (lambda about: about['pipeline'][-1].update(num_person=10**6), 'num_person=1000000'),
    ],
)
def test_a_strangers_file_builds_nothing_else(encode, change, message, tmp_path, monkeypatch):
    for name in ('registry', 'code'):  # beside the file
        (tmp_path / 'stranger').mkdir(exist_ok=True)
        (tmp_path / f'stranger/{name}.py').write_text('raise SystemExit("a stranger\'s code ran")')
    monkeypatch.syspath_prepend(tmp_path)
    arrays = encode.encoder.to_arrays()
    about = json.loads(str(arrays['encoder']))
    change(about)
    arrays['encoder'] = np.array(json.dumps(about))
    with pytest.raises(InputError, match=message) as told:
        PackedEncoder.from_arrays(arrays, 'file')
    assert str(told.value).startswith('file: ')


def test_a_batch_is_prepared_as_its_clips_are_by_the_pipeline(encode):
    """Clips of several lengths and numbers of persons, in metres and not, by mmcv's Compose."""
    two = np.concatenate([skeleton('wave', 1), np.zeros_like(skeleton('wave', 1))])
    two[1, 10:30] = two[0, 10:30] + 1
    clips = list(encode.read([skeleton('sit', n) for n in range(3)] + [two], layout='ntu-25'))
    clips += encode.read(100 * skeleton('kick', 0), layout='ntu-25', unit='other')
    made = encode.prepare_all(clips)
    for number, clip in enumerate(clips):
        steps = list(encode.encoder.pipeline)
        if clip.layout.unit != 'm':
            steps.insert(2, dict(type='ScaleSkeleton', size=0.5))
        results = dict(keypoint=clip.keypoint.copy(), layout=clip.layout, frame_dir='')
        slow = replace(encode.encoder, pipeline=steps).build_pipeline()(results)['keypoint']
        np.testing.assert_allclose(made[number].numpy(), slow, atol=1e-5)
        assert torch.equal(encode.prepare(clip), made[number])
