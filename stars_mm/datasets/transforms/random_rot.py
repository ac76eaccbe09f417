"""Turns a clip by random angles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


def rotation_matrix(angles: Sequence[float]) -> np.ndarray:
    """The rotation Rz·Ry·Rx of the reference, (3, 3) float32 for column vectors, by angles about
    x, y and z in radians.

    A positive angle turns clockwise, seen against the axis: each factor is
    the transpose of the textbook's.
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    rot_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    rot_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    rot_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    return (rot_z @ rot_y @ rot_x).astype(np.float32)


def rotate(keypoint: np.ndarray, angles: Sequence[float]) -> np.ndarray:
    """Rotates points (..., 3) about the origin, or (..., 2) in the image plane by the last angle;
    float16 and float32 points become float32.
    """
    C = keypoint.shape[-1]
    if C == 2:
        angles = (0, 0, angles[-1])
    flat = keypoint.reshape(-1, C) @ rotation_matrix(angles)[:C, :C].T
    return flat.reshape(keypoint.shape)


@TRANSFORMS.register_module()
class RandomRot(BaseTransform):
    """Rotates a clip about the origin, by one random rotation for all frames.

    The three angles are uniform within ±``theta`` (MAMP, augmentation of the
    published configurations). Centre the clip first. A 2D clip is turned in
    the image plane, by the angle about z.

    Required Keys: keypoint
    Modified Keys: keypoint

    Args:
        theta (float or Sequence[float]): The largest angle in radians, for
            all axes or for x, y and z each. 0 leaves an axis as it is.
    """

    def __init__(self, theta: float | Sequence[float] = 0.3) -> None:
        bounds = (theta,) * 3 if isinstance(theta, (int, float)) else tuple(theta)
        if len(bounds) != 3 or not all(0 <= bound <= np.pi for bound in bounds):
            raise ValueError(
                f'theta={theta!r}: give an angle, or one each for x, y and z, in radians 0 to pi.'
            )
        self.theta = bounds

    def transform(self, results: dict) -> dict:
        """Rotates ``results['keypoint']``, of shape (..., 3) or (..., 2)."""
        results['keypoint'] = rotate(results['keypoint'], self._draw(results))
        return results

    def plan(self, view: Any) -> None:
        """Rotates a planned view, see :class:`ViewPlan`."""
        # rotating the columns of a matrix is multiplying by the rotation
        view.turn = rotate(view.turn.T, self._draw(view.results)).T

    def _draw(self, results: dict) -> np.ndarray:
        C = results['keypoint'].shape[-1]
        if C not in (2, 3):
            raise ValueError(
                f'{self}: clip {results.get("frame_dir")!r} has {C} coordinates, and a rotation '
                'needs 2 or 3. Leave RandomRot out of this pipeline.'
            )
        bound = np.array(self.theta)
        return np.random.uniform(-bound, bound)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(theta={self.theta})'
