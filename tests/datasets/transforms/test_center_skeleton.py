"""CenterSkeleton against a loop-written oracle."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stars_mm.datasets.transforms import CenterSkeleton
from stars_mm.datasets.transforms.center_skeleton import turn_to_x, turn_to_y


def center_by_loops(keypoint, joint, align=None):
    """As the reference prepares NTU: origin from the first frame that is there, absent
    person-frames put back to zero; turned as complex numbers x + iz are."""
    origin = None
    for frame in keypoint[0]:
        if origin is None and np.any(frame != 0):
            origin = frame[joint].astype(np.float64)
            if align:
                across = frame[align[1]] - frame[align[0]]
                factor = (across[0] - 1j * across[2]) / np.hypot(across[0], across[2])
    out = np.zeros(keypoint.shape)
    for m, person in enumerate(keypoint):
        for t, frame in enumerate(person):
            if np.any(frame != 0):
                for v, point in enumerate(frame):
                    out[m, t, v] = point - origin
                    if align:
                        turned = (out[m, t, v, 0] + 1j * out[m, t, v, 2]) * factor
                        out[m, t, v, [0, 2]] = turned.real, turned.imag
    return out


def make(shape=(2, 6, 10, 3), dtype='f4'):
    keypoint = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    keypoint[0, :2] = 0  # the first person comes late
    keypoint[-1, 4:] = 0  # and the last one leaves early
    return keypoint


@pytest.mark.parametrize(
    'channels, dtype, joint, align', [(2, 'f2', 9, None), (3, 'f4', 1, (4, 8)), (3, 'f8', 0, None)]
)
def test_equal_to_loops(channels, dtype, joint, align):
    keypoint = make((2, 6, 10, channels), dtype)
    before = keypoint.copy()
    found = CenterSkeleton(joint, align)(dict(keypoint=keypoint))['keypoint']
    assert found.dtype == np.float32
    wanted = center_by_loops(keypoint, joint, align)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(keypoint, before)


def test_a_first_person_that_never_comes():
    keypoint = make()
    keypoint[0] = 0
    found = CenterSkeleton(1)(dict(keypoint=keypoint))['keypoint']
    assert not found[0].any()
    np.testing.assert_allclose(found[1, :4], keypoint[1, :4] - keypoint[1, 0, 1], rtol=1e-5)
    nobody = CenterSkeleton(1, (4, 8))(dict(keypoint=keypoint * 0))['keypoint']
    assert not nobody.any()
    np.testing.assert_array_equal(turn_to_x(np.array([0, 2, 0])), np.eye(3))  # upright


def test_upright():
    """Scipy's smallest turn of the trunk onto +y; then ``align`` as ever, of what that leaves."""
    keypoint = make()
    upright = CenterSkeleton(1, upright=(0, 2))(dict(keypoint=keypoint))['keypoint']
    trunk = keypoint[0, 2, 2] - keypoint[0, 2, 0]
    axis, angle = np.cross(trunk, [0, 1, 0]), np.arccos(trunk[1] / np.linalg.norm(trunk))
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    expected = (center_by_loops(keypoint, 1) @ turn.T) * keypoint.any((2, 3), keepdims=True)
    np.testing.assert_allclose(upright, expected, atol=1e-5)

    both = CenterSkeleton(1, (4, 8), (0, 2))(dict(keypoint=keypoint))['keypoint']
    aligned = CenterSkeleton(1, (4, 8))(dict(keypoint=upright))['keypoint']
    np.testing.assert_allclose(both, aligned, atol=1e-5)
    first = both[0, 2]
    length = np.linalg.norm(trunk)
    np.testing.assert_allclose(first[2] - first[0], [0, length, 0], atol=1e-5)
    x, _, z = first[8] - first[4]
    assert x > 0 and abs(z) < 1e-5


def test_a_clip_in_any_direction_is_turned_alike():
    keypoint = make()
    there = keypoint.any((2, 3), keepdims=True)
    transform = CenterSkeleton(1, (4, 8), (0, 2))
    expected = transform(dict(keypoint=keypoint))['keypoint']
    for turn in Rotation.random(5, random_state=0).as_matrix():
        turned = (keypoint @ turn.T + (3, 1, -2)) * there
        found = transform(dict(keypoint=turned))['keypoint']
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(
    'direction, turned',
    [
        ((0, 2, 0), (0, 2, 0)),
        ((0, -2, 0), (0, 2, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((3, 0, 4), (0, 5, 0)),
    ],
)
def test_turn_to_y(direction, turned):
    turn = turn_to_y(np.float32(direction))
    np.testing.assert_allclose(turn @ direction, turned, atol=1e-6)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) == pytest.approx(1)
    if direction == turned:
        np.testing.assert_array_equal(turn, np.eye(3))


@pytest.mark.parametrize(
    'args, message',
    [
        ((-1,), 'center_joint=-1'),
        ((1, (4, 4)), r'align=\(4, 4\)'),
        ((1, (4, -8)), r'align=\(4, -8\)'),
        ((1, None, (4, 4)), r'upright=\(4, 4\)'),
        ((1, None, (0, 5)), r"upright=\(0, 5\).*'c7' has 5 joints"),
        ((1, None, (0, 2)), r"'c7' has 2 coordinates.*upright"),
        ((5,), r"center_joint=5.*'c7' has 5 joints"),
        ((1, (2, 3)), r"center_joint=1, align=\(2, 3\).*'c7' has 2 coordinates.*align"),
    ],
)
def test_wrong_options_and_clips_that_do_not_fit(args, message):
    with pytest.raises(ValueError, match=message):
        CenterSkeleton(*args)(dict(keypoint=np.ones((1, 2, 5, 2)), frame_dir='c7'))
