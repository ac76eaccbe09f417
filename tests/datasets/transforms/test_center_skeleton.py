"""CenterSkeleton against a loop-written oracle and closed forms."""

import math

import numpy as np
import pytest

from stars_mm.datasets.transforms import CenterSkeleton
from stars_mm.datasets.transforms.center_skeleton import turn_to_x


def center_by_loops(keypoint, joint):
    """As the reference prepares NTU: origin from the first frame that is
    there, absent person-frames put back to zero."""
    origin = None
    for frame in keypoint[0]:
        if origin is None and np.any(frame != 0):
            origin = frame[joint].astype(np.float64)
    out = np.zeros(keypoint.shape)
    for m, person in enumerate(keypoint):
        for t, frame in enumerate(person):
            if np.any(frame != 0):
                for v, point in enumerate(frame):
                    out[m, t, v] = point - origin
    return out


def make(shape=(2, 6, 10, 3), dtype='f4'):
    keypoint = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    keypoint[0, :2] = 0  # the first person comes late
    keypoint[-1, 4:] = 0  # and the last one leaves early
    return keypoint


@pytest.mark.parametrize('channels, dtype, joint', [(2, 'f2', 9), (3, 'f4', 1), (3, 'f8', 0)])
def test_equal_to_loops(channels, dtype, joint):
    keypoint = make((2, 6, 10, channels), dtype)
    before = keypoint.copy()
    found = CenterSkeleton(joint)(dict(keypoint=keypoint))['keypoint']
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, center_by_loops(keypoint, joint), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(keypoint, before)


def test_a_first_person_that_never_comes():
    keypoint = make()
    keypoint[0] = 0
    found = CenterSkeleton(1)(dict(keypoint=keypoint))['keypoint']
    assert not found[0].any()
    np.testing.assert_allclose(found[1, 0, 1], 0)
    np.testing.assert_allclose(found[1, :4], keypoint[1, :4] - keypoint[1, 0, 1], rtol=1e-5)
    nobody = CenterSkeleton(1, (4, 8))(dict(keypoint=keypoint * 0))['keypoint']
    assert not nobody.any()


def test_align_turns_about_the_vertical():
    keypoint = make()
    plain = CenterSkeleton(1)(dict(keypoint=keypoint))['keypoint']
    found = CenterSkeleton(1, (4, 8))(dict(keypoint=keypoint))['keypoint']
    shoulders = found[0, 2, 8] - found[0, 2, 4]
    assert shoulders[0] > 0
    np.testing.assert_allclose(shoulders[2], 0, atol=1e-6)
    # Heights stay, and all persons turn by one angle, seen as complex x + iz.
    np.testing.assert_allclose(found[..., 1], plain[..., 1], atol=1e-6)
    turned = found[..., 0] + 1j * found[..., 2]
    unturned = plain[..., 0] + 1j * plain[..., 2]
    shoulder = unturned[0, 2, 8] - unturned[0, 2, 4]
    factor = np.conj(shoulder) / abs(shoulder)
    np.testing.assert_allclose(turned, unturned * factor, atol=1e-5)
    assert not found[0, :2].any() and not found[-1, 4:].any()


def test_a_turned_recording_comes_out_the_same():
    """A camera at another yaw and place sees the same centred clip."""
    keypoint = make(dtype='f8')
    cos, sin = math.cos(2.1), math.sin(2.1)
    moved = keypoint @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    moved = np.where(keypoint.any(axis=(2, 3), keepdims=True), moved + [1, 2, 3], 0)
    align = CenterSkeleton(1, [4, 8])
    np.testing.assert_allclose(
        align(dict(keypoint=moved))['keypoint'],
        align(dict(keypoint=keypoint))['keypoint'],
        atol=1e-5,
    )


def test_turn_to_x():
    for direction, wanted in (
        ((-2, 1, 0), (2, 1, 0)),
        ((0, 0, -3), (3, 0, 0)),
        ((3, -1, 4), (5, -1, 0)),
        ((0, 2, 0), (0, 2, 0)),  # upright: not turned
    ):
        turn = turn_to_x(np.array(direction))
        np.testing.assert_allclose(turn @ direction, wanted, atol=1e-6)
        np.testing.assert_allclose(np.linalg.det(turn), 1, rtol=1e-6)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(center_joint=-1), 'center_joint=-1'),
        (dict(align=(4, 4)), r'align=\(4, 4\)'),
        (dict(align=(4, -8)), r'align=\(4, -8\)'),
    ],
)
def test_arguments_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        CenterSkeleton(**kwargs)


def test_clips_that_do_not_fit():
    clip = dict(keypoint=np.ones((1, 2, 5, 2)), frame_dir='c7')
    with pytest.raises(ValueError, match=r"center_joint=5.*'c7' has 5 joints"):
        CenterSkeleton(5)(clip)
    message = r"CenterSkeleton\(center_joint=1, align=\(2, 3\)\).*'c7' has 2 coordinates.*align"
    with pytest.raises(ValueError, match=message):
        CenterSkeleton(1, (2, 3))(clip)
