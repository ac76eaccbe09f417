"""ScaleSkeleton against sizes written out joint by joint."""

import numpy as np
import pytest

from stars_mm.datasets.transforms import CenterSkeleton, ScaleSkeleton
from stars_mm.datasets.transforms.scale_skeleton import body_size


def clip(channels=2, seed=0):
    points = np.random.default_rng(seed).normal(400, 90, (2, 7, 5, channels))
    points[1, 4:] = 0  # the second person has left
    return points


def size_by_loops(points):
    sizes = []
    for person in points:
        for body in person:
            if not any(value for joint in body for value in joint):
                continue
            middle = sum(body) / len(body)
            sizes.append((sum(sum((joint - middle) ** 2) for joint in body) / len(body)) ** 0.5)
    sizes.sort()
    half = len(sizes) // 2
    return sizes[half] if len(sizes) % 2 else (sizes[half - 1] + sizes[half]) / 2


@pytest.mark.parametrize('channels', [2, 3])
def test_size(channels):
    points = clip(channels)
    assert body_size(points) == pytest.approx(size_by_loops(points))
    scores = np.ones(points.shape[:3])
    centred = CenterSkeleton(0)(dict(keypoint=points, keypoint_score=scores))
    before = centred['keypoint'].copy()
    found = ScaleSkeleton(0.5)(centred)
    assert found['keypoint'].dtype == np.float32
    assert size_by_loops(found['keypoint']) == pytest.approx(0.5, rel=1e-4)
    np.testing.assert_allclose(found['keypoint'], before * (0.5 / size_by_loops(points)), rtol=1e-4)
    assert not found['keypoint'][1, 4:].any()
    assert found['keypoint_score'] is scores


def test_any_unit_gives_the_same_clip():
    points = clip()
    sizes = [ScaleSkeleton()(CenterSkeleton(0)(dict(keypoint=points * unit))) for unit in (1, 1e-3)]
    np.testing.assert_allclose(sizes[0]['keypoint'], sizes[1]['keypoint'], atol=1e-5)


def test_no_size():
    for points in (np.zeros((1, 3, 5, 2)), np.ones((1, 3, 5, 2))):
        found = ScaleSkeleton()(dict(keypoint=points))['keypoint']
        np.testing.assert_array_equal(found, points)
    with pytest.raises(ValueError, match='size=nan'):
        ScaleSkeleton(float('nan'))
