"""What is made of a padded batch is what the test pipeline and the model make of each clip."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.apis import SkeletonInferencer
from stars_mm.apis.deployed_encoder import DeployedEncoder
from stars_mm.apis.encoder import PackedEncoder, describe_encoder
from stars_mm.apis.inputs import InputClip
from stars_mm.preparation.layouts import get_layout

CROP = dict(type='TemporalCropResize', clip_len=16, p_interval=0.95)
WARP = dict(type='MotionTimeWarp')
LAYOUT = get_layout('kinect-20')


def one_end(num_person: int = 1, **options) -> list[dict]:
    format_input = dict(type='FormatGCNInput', num_person=num_person, **options)
    return [CROP, WARP, format_input, dict(type='PackActionInputs')]


PIPELINES = dict(
    mapped=[
        dict(type='MapJoints', target='common-15'),
        dict(type='CenterSkeleton', center_joint=2, align=(3, 6)),
        *one_end(),
    ],
    turned_upright=[
        dict(type='CenterSkeleton', upright=(0, 2), align=(4, 8)),
        *one_end(num_person=2, mode='zero'),
    ],
    scaled=[
        dict(type='CenterSkeleton'),
        dict(type='ScaleSkeleton', size=0.5),
        *one_end(num_person=3),
    ],
    unwarped=[dict(type='CenterSkeleton'), CROP, *one_end(num_person=2, mode='loop')[2:]],
)


@pytest.fixture(scope='module')
def clips() -> list[np.ndarray]:
    """(M, T, V, C): of 1 to 3 persons and of all lengths; some come late, some are never there."""
    rng = np.random.default_rng(0)
    walks = [
        rng.standard_normal((1 + n % 3, length, 20, 3)).cumsum(1) * 0.02 + rng.standard_normal(3)
        for n, length in enumerate((1, 2, 5, 16, 17, 31, 39, 40, 41, 80, 200))
    ]
    body = rng.standard_normal((20, 3))
    walks = [(walk + body).astype(np.float32) for walk in walks]
    walks[4][0, :6] = 0  # comes late
    walks[5][0] = 0  # is never there, so the second one counts
    walks[7][1, 20:25] = 0  # goes and comes
    walks[8][:] = 0  # nobody
    return walks


def pack(pipeline: list[dict], **options) -> PackedEncoder:
    """A tiny encoder of random weights that a pipeline feeds."""
    backbone = dict(type='SkeletonTransformer', embed_dims=16, depth=1, num_heads=2, num_frames=16)
    num_joints = 15 if pipeline[0]['type'] == 'MapJoints' else 20
    backbone.update(num_joints=num_joints, gate_scale=3.0, mean_share=0.7)
    model = dict(type='STARS', backbone=backbone, head=dict(type='SimilarityHead'), **options)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        weights = MODELS.build(model).state_dict()
    return PackedEncoder('tiny', model, pipeline, weights)


def each_by_itself(model, pipeline, clips) -> tuple:
    """Clips as the pipeline makes them, and the features that the model gives of them."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        transforms = [TRANSFORMS.build(dict(cfg)) for cfg in pipeline]
    made, features, joints = [], [], []
    for clip in clips:
        results = dict(keypoint=clip.copy(), total_frames=clip.shape[1], layout=LAYOUT, label=0)
        for transform in transforms:
            results = transform(results)
        made.append(results['inputs'].float())
        (sample,) = model.test_step(dict(inputs=made[-1:], data_samples=[results['data_samples']]))
        features.append(sample.feature)
        x = model.data_preprocessor(dict(inputs=made[-1:], data_samples=[]))['inputs']
        joints.append(model.extract_joint_feat(x)[0])
    return torch.stack(made), torch.stack(features), torch.stack(joints)


def padded(clips) -> torch.Tensor:
    """Clips side by side: persons who are not there zero, what is after the end NaN."""
    M, T, V, C = np.max([clip.shape for clip in clips], axis=0)
    batch = torch.zeros(len(clips), M, T, V, C)
    for slot, clip in zip(batch, clips):
        slot[: len(clip), : clip.shape[1]] = torch.from_numpy(clip)
        slot[:, clip.shape[1] :] = torch.nan
    return batch


@pytest.mark.parametrize('name', PIPELINES)
@torch.no_grad()
def test_it_is_the_pipeline_and_the_model(name, clips):
    pipeline = PIPELINES[name]
    options = {}
    if name == 'scaled':
        stream = dict(type='StreamPreprocessor', stream='bone_motion', layout='kinect-20', scale=10)
        options = dict(data_preprocessor=stream)
    encoder = pack(pipeline, **options)
    if name == 'unwarped':  # looping takes a person who is never there for no person
        clips = [clip for clip in clips if clip.any(axis=(1, 2, 3)).all()]
    expected = each_by_itself(encoder.build(), pipeline, clips)
    deployed = DeployedEncoder(encoder, LAYOUT)
    batch = padded(clips)
    for found, theirs in zip((deployed.clips(batch), *deployed(batch)), expected):
        torch.testing.assert_close(found, theirs, rtol=0, atol=2e-5)
    alone = torch.cat([deployed(padded([clip]))[0] for clip in clips])
    torch.testing.assert_close(alone, expected[1], rtol=0, atol=2e-5)


def test_a_number_that_is_missing_inside_a_clip_is_not_hidden(clips):
    deployed = DeployedEncoder(pack(PIPELINES['turned_upright']), LAYOUT)
    batch = padded(clips[6:8])
    batch[0, 0, 6] = torch.nan
    assert deployed(batch)[0].isnan().any(1).tolist() == [True, False]


@pytest.mark.parametrize('layout, unit, C', [('coco-17', 'px', 2), ('kard-15', 'mm', 3)])
def test_raw_coordinates_of_other_units(layout, unit, C, clips):
    """As the inferencer takes them: pixels of an image, whose y points down, and millimetres."""
    layout = get_layout(layout)
    assert layout.unit == unit
    encoder = pack(PIPELINES['mapped'][:-1])
    metres = replace(layout, unit='m' if unit == 'mm' else unit)
    clips = [300 * clip[:, :, : layout.num_joints, :C] for clip in clips if clip.any()]
    factor = 1e-3 if unit == 'mm' else 1
    read = [InputClip('clip', factor * clip, metres) for clip in clips]
    expected = SkeletonInferencer(encoder, device='cpu')(read)
    deployed = DeployedEncoder(encoder, layout)
    assert deployed.coordinates == C
    np.testing.assert_allclose(deployed(padded(clips))[0], expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    'name', ['stars_ntu60', 'stars_demo', 'stars_nw-ucla_small', 'stars_pku2', 'stars_union']
)
def test_pipelines_of_our_configs(name, repo_root):
    cfg = Config.fromfile(repo_root / f'configs/{name}.py')
    cfg.model.backbone.update(depth=1, embed_dims=16, num_heads=2)
    encoder = PackedEncoder(name, *describe_encoder(cfg), {})
    layout = get_layout('kinect-20' if 'ucla' in name else 'ntu-25')
    feature, joints = DeployedEncoder(encoder, layout)(torch.randn(2, 1, 30, layout.num_joints, 3))
    assert feature.shape == (2, 16) and joints.shape == (2, encoder.num_joints, 16)


@pytest.mark.parametrize(
    'pipeline, message',
    [
        ([dict(type='RandomRot'), *one_end()], r'RandomRot\(.*cannot be exported, only MapJ'),
        ([dict(CROP, p_interval=(0.5, 1.0)), *one_end()[2:]], 'crops at random'),
        ([dict(type='CenterSkeleton'), *one_end()[2:]], 'needs TemporalCropResize once'),
        ([CROP], 'FormatGCNInput at its end'),
        ([WARP, *one_end()], 'MotionTimeWarp comes before TemporalCropResize'),
    ],
)
def test_refusals(pipeline, message):
    with pytest.raises(ValueError, match=message):
        DeployedEncoder(pack(pipeline), LAYOUT)


def test_a_layout_that_does_not_serve():
    with pytest.raises(ValueError, match="tiny: takes 20 joints of 3 numbers; layout 'ntu-25' has"):
        DeployedEncoder(pack(PIPELINES['unwarped']), get_layout('ntu-25'))
