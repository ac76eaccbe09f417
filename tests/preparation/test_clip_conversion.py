"""Missing joints against values written out."""

import numpy as np
import pytest

from stars_mm.preparation.clip_conversion import fill_missing, find_missing
from stars_mm.preparation.layouts import get_layout

ARM = get_layout(
    dict(name='arm', joints=['hip', 'neck', 'elbow', 'hand'], parents=[None, 0, 1, 2], center=1)
)
NAN = np.nan


def clip():
    return np.random.default_rng(0).normal(5, 1, (2, 6, 4, 2))


def test_what_is_missing():
    points = clip()
    points[0, 2, 3, 1] = NAN  # half a joint is no joint
    points[0, 4, 1] = 0  # no score says that it is missing
    points[1, 1] = NAN
    points[1, 3] = 0
    missing, present = find_missing(points, None)
    assert np.argwhere(missing).tolist() == [[0, 2, 3]]
    assert np.argwhere(~present).tolist() == [[1, 1], [1, 3]]
    scores = np.ones(points.shape[:3])
    scores[0, 4, 1] = scores[0, 5, 2] = 0
    scores[1, 3, 1:] = 0
    missing, present = find_missing(points, scores)
    assert np.argwhere(missing).tolist() == [[0, 2, 3], [0, 4, 1]]
    assert np.argwhere(~present).tolist() == [[1, 1], [1, 3]]


def fill(points):
    return fill_missing(points, *find_missing(points, None), ARM)


def test_gaps_are_filled_in_time():
    points = clip()
    whole = points.copy()
    points[0, [1, 2], 3] = NAN
    points[0, [0, 5], 1] = NAN
    points[1, 3] = NAN  # the person is away: not to be filled
    points[1, [2, 4], 2] = NAN
    expected = whole.copy()
    expected[0, :4, 3] = np.linspace(whole[0, 0, 3], whole[0, 3, 3], 4)
    expected[0, [0, 5], 1] = whole[0, [1, 4], 1]
    line = np.linspace(whole[1, 1, 2], whole[1, 5, 2], 5)
    expected[1, [2, 4], 2] = line[[1, 3]]
    expected[1, 3] = 0
    np.testing.assert_allclose(fill(points), expected)


@pytest.mark.parametrize(
    'never, expected',
    [
        ([1, 3], {1: [0], 3: [2]}),
        ([2, 3], {2: [1], 3: [1]}),
        ([0], {0: [1, 2, 3]}),
        ([0, 1], {0: [2, 3], 1: [2, 3]}),
    ],
)
def test_joints_that_are_never_seen(never, expected):
    points = clip()
    whole = points.copy()
    points[0][:, never] = NAN
    points[0, 4] = 0  # away
    found = fill(points)
    for joint, sources in expected.items():
        np.testing.assert_allclose(found[0, :4, joint], whole[0, :4, sources].mean(axis=0))
    assert not found[0, 4].any()
    np.testing.assert_array_equal(found[1], whole[1])
