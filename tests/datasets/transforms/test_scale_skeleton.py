"""ScaleSkeleton against sizes written out joint by joint."""

import numpy as np
import pytest

from stars_mm.datasets.transforms import ScaleSkeleton


def size_by_loops(points):
    sizes = []
    for body in points.reshape(-1, *points.shape[2:]):
        if body.any():
            middle = sum(body) / len(body)
            sizes.append((sum(sum((joint - middle) ** 2) for joint in body) / len(body)) ** 0.5)
    return np.median(sizes)


@pytest.mark.parametrize('channels', [2, 3])
def test_size(channels):
    points = np.random.default_rng(0).normal(400, 90, (2, 7, 5, channels))
    points[1, 4:] = 0  # the second person has left
    scores = np.ones(points.shape[:3])
    found = ScaleSkeleton(0.5)(dict(keypoint=points.copy(), keypoint_score=scores))
    assert found['keypoint'].dtype == np.float32
    np.testing.assert_allclose(found['keypoint'], points * (0.5 / size_by_loops(points)), rtol=1e-4)
    assert found['keypoint_score'] is scores


def test_no_size():
    for points in (np.zeros((1, 3, 5, 2)), np.ones((1, 3, 5, 2))):
        found = ScaleSkeleton()(dict(keypoint=points))['keypoint']
        np.testing.assert_array_equal(found, points)
    with pytest.raises(ValueError, match='size=nan'):
        ScaleSkeleton(float('nan'))
