"""RandomRot against the authors' array."""

import numpy as np
import pytest

from stars_mm.datasets.transforms import RandomRot
from stars_mm.datasets.transforms.random_rot import rotate


def test_rotation_of_the_authors(data_dir):
    golden = np.load(data_dir / 'data_ntu.npz')
    clip = golden['center_1.0'].transpose(3, 1, 2, 0)  # C T V M -> M T V C
    found = rotate(clip, golden['rotation_angles'])
    np.testing.assert_allclose(found.transpose(3, 1, 2, 0), golden['rotated'], rtol=1e-5, atol=1e-5)


def test_one_rotation_a_clip_within_theta():
    np.random.seed(0)
    points = np.random.standard_normal((2, 6, 5, 3)).astype('f4')
    points[1, 3:] = 0
    sines = []
    for _ in range(150):
        found = RandomRot((0.0, 0.0, 0.4))(dict(keypoint=points))['keypoint']
        assert found.dtype == np.float32 and not found[1, 3:].any()
        np.testing.assert_allclose(found[..., 2], points[..., 2], atol=1e-6)
        matrix, *_ = np.linalg.lstsq(points.reshape(-1, 3), found.reshape(-1, 3), rcond=None)
        np.testing.assert_allclose(points @ matrix, found, atol=1e-4)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-4)
        sines.append(matrix[0, 1])
    angles = np.arcsin(sines)
    assert np.abs(angles).max() <= 0.4 + 1e-4
    assert angles.min() < -0.35 and angles.max() > 0.35


@pytest.mark.parametrize('theta', [-0.1, (0.1, 0.2), (0.1, 4, 0.2)])
def test_arguments_are_checked(theta):
    with pytest.raises(ValueError, match='theta='):
        RandomRot(theta)


def test_2d_clips_turn_in_the_image_plane():
    """As multiplying x + iy by a complex number of length 1."""
    np.random.seed(0)
    points = np.random.standard_normal((2, 6, 5, 2)).astype('f4')
    points[1, 3:] = 0
    plane = points[..., 0] + 1j * points[..., 1]
    angles = []
    for _ in range(150):
        found = RandomRot((0.9, 0.9, 0.4))(dict(keypoint=points))['keypoint']
        assert found.dtype == np.float32 and not found[1, 3:].any()
        factor = (found[..., 0] + 1j * found[..., 1])[0] / plane[0]
        np.testing.assert_allclose(factor, factor[0, 0], atol=1e-4)
        np.testing.assert_allclose(abs(factor), 1, atol=1e-4)
        angles.append(np.angle(factor[0, 0]))
    assert np.abs(angles).max() <= 0.4 + 1e-4
    assert min(angles) < -0.35 and max(angles) > 0.35


def test_other_clips_are_refused():
    with pytest.raises(ValueError, match=r"RandomRot\(theta=\(0.3, .*'c7' has 4 coordinates"):
        RandomRot()(dict(keypoint=np.ones((1, 2, 5, 4)), frame_dir='c7'))
