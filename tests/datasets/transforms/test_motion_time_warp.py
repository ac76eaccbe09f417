"""MotionTimeWarp: what it passes to warp_time, which has tests of its own."""

import numpy as np
import pytest
import torch

from stars_mm.datasets.transforms import MotionTimeWarp
from stars_mm.utils.time_warp import warp_time


def clip(T=20, dtype='f2'):
    rng = np.random.default_rng(0)
    return dict(keypoint=rng.normal(size=(2, T, 5, 3)).cumsum(1).astype(dtype), frame_dir='c0')


@pytest.mark.parametrize('T, dtype', [(20, 'f2'), (20, 'f8'), (1, 'f4')])
def test_it_is_warp_time(T, dtype):
    keypoint = clip(T, dtype)['keypoint']
    expected = warp_time(torch.from_numpy(keypoint.astype('f4'))[None], 0.5, 2)[0].numpy()
    found = MotionTimeWarp(share=0.5, smoothing=2)(clip(T, dtype))['keypoint']
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_scores_go_with_the_joints():
    """Scores that are a coordinate's copy stay its copy, whatever the others do."""
    results = clip(dtype='f4')
    results['keypoint_score'] = results['keypoint'][..., 1].copy()
    found = MotionTimeWarp()(results)
    assert not np.allclose(found['keypoint'], clip()['keypoint'], atol=0.1)
    np.testing.assert_allclose(found['keypoint_score'], found['keypoint'][..., 1], atol=1e-6)


def test_wrong_options_and_clips_that_do_not_fit():
    for options, message in (
        (dict(share=1.2), r'share=1\.2'),
        (dict(share=-0.1), r'share=-0\.1'),
        (dict(smoothing=-1), 'smoothing=-1'),
        (dict(smoothing=2.0), r'smoothing=2\.0'),
    ):
        with pytest.raises(ValueError, match=message):
            MotionTimeWarp(**options)
    with pytest.raises(ValueError, match='comes after MultiView'):
        MotionTimeWarp()(dict(clip(), num_clips=2))
