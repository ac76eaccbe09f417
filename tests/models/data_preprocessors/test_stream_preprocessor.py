"""Streams against mmaction2's GenSkeFeat and loops."""

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import FormatGCNInput, GenSkeFeat
from mmaction.registry import MODELS

from stars_mm.preparation.layouts import NW_UCLA

LETTERS = dict(joint='j', bone='b', motion='jm', bone_motion='bm')


def build(stream, **kwargs):
    return MODELS.build(dict(type='StreamPreprocessor', stream=stream, **kwargs))


def gen_ske_feat(layout, stream, clip) -> torch.Tensor:
    """mmaction2's stream, formatted as an input: (clips, M, T, V, C)."""
    clip = GenSkeFeat(dataset=layout, feats=[LETTERS[stream]])(dict(clip))
    return torch.from_numpy(FormatGCNInput(num_person=2, mode='zero')(clip)['keypoint'])


@pytest.mark.parametrize('stream', LETTERS)
def test_ntu_streams_are_those_of_gen_ske_feat(stream, samples):
    rng = np.random.default_rng(0)
    clips = [
        dict(keypoint=rng.normal(size=(persons, 6, 25, 3)).astype(np.float32), total_frames=6)
        for persons in (1, 2)
    ]
    inputs = [gen_ske_feat('nturgb+d', 'joint', clip) for clip in clips]
    expected = [gen_ske_feat('nturgb+d', stream, clip) for clip in clips]
    found = build(stream)(dict(inputs=inputs, data_samples=samples(range(2))))
    torch.testing.assert_close(found['inputs'], torch.stack(expected))
    assert [s.sample_idx for s in found['data_samples']] == [0, 1]


@pytest.mark.parametrize(
    'stream, layout, joints', [('bone', 'coco', 17), ('bone_motion', 'openpose', 18)]
)
def test_streams_of_2d_with_scores_are_those_of_gen_ske_feat(stream, layout, joints):
    rng = np.random.default_rng(0)
    clip = dict(
        keypoint=rng.normal(size=(2, 6, joints, 2)).astype(np.float32),
        keypoint_score=rng.uniform(size=(2, 6, joints)).astype(np.float32),
    )
    inputs, expected = gen_ske_feat(layout, 'joint', clip), gen_ske_feat(layout, stream, clip)
    found = build(stream, layout=layout, scored=True).to_stream(inputs)
    torch.testing.assert_close(found, expected)
    scaled = build(stream, layout=layout, scored=True, scale=10.0).to_stream(inputs)
    torch.testing.assert_close(scaled, expected * torch.tensor([10, 10, 1]))


@pytest.mark.parametrize('layout', ['nw-ucla', NW_UCLA], ids=['name', 'dict'])
def test_nw_ucla_in_loops(layout):
    x = torch.randn(2, 1, 1, 5, 20, 3)
    bone = x.clone()
    bone[..., NW_UCLA['center'], :] = 0
    for joint, parent in NW_UCLA['inward']:
        bone[..., joint, :] = x[..., joint, :] - x[..., parent, :]
    for stream, source in (('motion', x), ('bone_motion', bone)):
        expected = torch.zeros_like(x)
        for t in range(4):
            expected[:, :, :, t] = source[:, :, :, t + 1] - source[:, :, :, t]
        found = build(stream, layout=layout, scale=10.0).to_stream(x)
        torch.testing.assert_close(found, 10 * expected)
    torch.testing.assert_close(build('bone', layout=layout).to_stream(x), bone)


def test_an_algorithm_trains_on_the_stream(stars, encoder_cfg, samples):
    model = stars(
        backbone=encoder_cfg(num_joints=20),
        data_preprocessor=dict(type='StreamPreprocessor', stream='bone', layout='nw-ucla'),
    )
    clips = [torch.randn(1, 2, 8, 20, 3) for _ in range(3)]
    seen = []
    model.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model.test_step(dict(inputs=clips, data_samples=samples(range(3))))
    expected = model.data_preprocessor.to_stream(torch.stack(clips))
    torch.testing.assert_close(seen[0], expected[:, 0])
    assert (seen[0][..., 2, :] == 0).all()
