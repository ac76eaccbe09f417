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


@pytest.mark.parametrize('channels', [2, 3])
def test_one_rotation_a_clip_within_theta(channels):
    """About z, which is all that there is in the image plane."""
    np.random.seed(0)
    points = np.random.standard_normal((2, 6, 5, channels)).astype('f4')
    points[1, 3:] = 0
    sines = []
    for _ in range(150):
        theta = (0.0, 0.0, 0.4) if channels == 3 else (0.9, 0.9, 0.4)
        found = RandomRot(theta)(dict(keypoint=points))['keypoint']
        assert found.dtype == np.float32 and not found[1, 3:].any()
        np.testing.assert_allclose(found[..., 2:], points[..., 2:], atol=1e-6)
        flat = points.reshape(-1, channels)
        matrix, *_ = np.linalg.lstsq(flat, found.reshape(-1, channels), rcond=None)
        np.testing.assert_allclose(points @ matrix, found, atol=1e-4)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(channels), atol=1e-4)
        assert (np.diag(matrix) > 0.9).all()  # no mirror image
        sines.append(matrix[0, 1])
    angles = np.arcsin(sines)
    assert np.abs(angles).max() <= 0.4 + 1e-4
    assert angles.min() < -0.35 and angles.max() > 0.35


def test_what_is_refused():
    for theta in (-0.1, (0.1, 0.2), (0.1, 4, 0.2)):
        with pytest.raises(ValueError, match='theta='):
            RandomRot(theta)
    with pytest.raises(ValueError, match=r"RandomRot\(theta=\(0.3, .*'c7' has 4 coordinates"):
        RandomRot()(dict(keypoint=np.ones((1, 2, 5, 4)), frame_dir='c7'))
