"""What the graph makes of padded batches is what the test pipeline and the model make of each clip."""

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.apis.deployed_encoder import DeployedEncoder
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


def build_model(num_joints: int, **options) -> torch.nn.Module:
    backbone = dict(type='SkeletonTransformer', embed_dims=16, depth=1, num_heads=2, num_frames=16)
    backbone.update(num_joints=num_joints, gate_scale=3.0, mean_share=0.7)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = dict(type='STARS', backbone=backbone, head=dict(type='SimilarityHead'), **options)
        return MODELS.build(model).eval()


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
    model = build_model(15 if name == 'mapped' else 20, **options)
    if name == 'unwarped':  # looping takes a person who is never there for no person
        clips = [clip for clip in clips if clip.any(axis=(1, 2, 3)).all()]
    expected = each_by_itself(model, pipeline, clips)
    deployed = DeployedEncoder(model, pipeline, LAYOUT)
    batch = padded(clips)
    for found, theirs in zip((deployed.clips(batch), *deployed(batch)), expected):
        torch.testing.assert_close(found, theirs, rtol=0, atol=2e-5)
    alone = torch.cat([deployed(padded([clip]))[0] for clip in clips])
    torch.testing.assert_close(alone, expected[1], rtol=0, atol=2e-5)


def test_a_number_that_is_missing_inside_a_clip_is_not_hidden(clips):
    deployed = DeployedEncoder(build_model(20), PIPELINES['turned_upright'], LAYOUT)
    batch = padded(clips[6:8])
    batch[0, 0, 6] = torch.nan
    assert deployed(batch)[0].isnan().any(1).tolist() == [True, False]


def test_of_our_configs(repo_root):
    """Their test pipelines export."""
    for name in ('stars_ntu60', 'stars_demo', 'stars_nw-ucla_small', 'stars_pku2', 'stars_union'):
        cfg = Config.fromfile(repo_root / f'configs/{name}.py')
        pipeline = cfg.test_dataloader.dataset.pipeline
        backbone = copy.deepcopy(cfg.model.backbone)
        backbone.update(depth=1, embed_dims=16, num_heads=2)
        with DefaultScope.overwrite_default_scope('mmaction'):
            head = dict(type='SimilarityHead')
            model = MODELS.build(dict(type='STARS', backbone=backbone, head=head))
        layout = get_layout('kinect-20' if 'ucla' in name else 'ntu-25')
        deployed = DeployedEncoder(model, pipeline, layout)
        feature, joints = deployed(torch.randn(2, 1, 30, layout.num_joints, 3))
        assert feature.shape == (2, 16) and joints.shape == (2, backbone.num_joints, 16)


@pytest.mark.parametrize(
    'pipeline, message',
    [
        ([dict(type='RandomRot'), *one_end()], r'RandomRot\(.*cannot be exported, only MapJoints, '),
        ([dict(CROP, p_interval=(0.5, 1.0)), *one_end()[2:]], 'crops at random'),
        ([dict(type='CenterSkeleton'), *one_end()[2:]], 'needs TemporalCropResize once'),
        ([CROP], 'FormatGCNInput at its end'),
        ([WARP, *one_end()], 'MotionTimeWarp comes before TemporalCropResize'),
    ],
)
def test_refusals(pipeline, message):
    with pytest.raises(ValueError, match=message):
        DeployedEncoder(build_model(20), pipeline, LAYOUT)
