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


@pytest.mark.parametrize('stream', LETTERS)
def test_ntu_streams_are_those_of_gen_ske_feat(stream, samples):
    rng = np.random.default_rng(0)
    inputs, expected = [], []
    for persons in (1, 2):
        keypoint = rng.normal(size=(persons, 6, 25, 3)).astype(np.float32)
        for steps, clips in (
            ([], inputs),
            ([GenSkeFeat(dataset='nturgb+d', feats=[LETTERS[stream]])], expected),
        ):
            results = dict(keypoint=keypoint.copy(), total_frames=6)
            for step in [*steps, FormatGCNInput(num_person=2, mode='zero')]:
                results = step(results)
            clips.append(torch.from_numpy(results['keypoint']))
    data_samples = samples(range(2))
    found = build(stream)(dict(inputs=inputs, data_samples=data_samples))
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
    inputs = FormatGCNInput()(dict(clip))['keypoint']
    expected = FormatGCNInput()(GenSkeFeat(dataset=layout, feats=[LETTERS[stream]])(dict(clip)))[
        'keypoint'
    ]
    found = build(stream, layout=layout, scored=True).to_stream(torch.from_numpy(inputs))
    torch.testing.assert_close(found, torch.from_numpy(expected))
    scaled = build(stream, layout=layout, scored=True, scale=10.0).to_stream(
        torch.from_numpy(inputs)
    )
    torch.testing.assert_close(scaled[..., :2], 10 * found[..., :2])
    torch.testing.assert_close(scaled[..., 2], found[..., 2])


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


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(stream='bones'), 'stream="bones" must be one of .*bone_motion'),
        (dict(stream='bone', layout='mpii'), 'layout="mpii" is not known'),
        (dict(stream='bone', scale=0), 'scale must be positive: 0'),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
    with pytest.raises(ValueError, match='have 20 joints, its layout 25'):
        build('bone').to_stream(torch.zeros(1, 1, 1, 8, 20, 3))
