"""CenterSkeleton against a loop-written oracle."""

import numpy as np
import pytest

from stars_mm.datasets.transforms import CenterSkeleton
from stars_mm.datasets.transforms.center_skeleton import turn_to_x


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


@pytest.mark.parametrize(
    'args, message',
    [
        ((-1,), 'center_joint=-1'),
        ((1, (4, 4)), r'align=\(4, 4\)'),
        ((1, (4, -8)), r'align=\(4, -8\)'),
        ((5,), r"center_joint=5.*'c7' has 5 joints"),
        ((1, (2, 3)), r"center_joint=1, align=\(2, 3\).*'c7' has 2 coordinates.*align"),
    ],
)
def test_wrong_options_and_clips_that_do_not_fit(args, message):
    with pytest.raises(ValueError, match=message):
        CenterSkeleton(*args)(dict(keypoint=np.ones((1, 2, 5, 2)), frame_dir='c7'))
