"""Moves a clip to the origin, and turns it to face one way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

#: Distance (metres) under which two joints give no direction.
NO_DIRECTION = 1e-6


def turn_to_x(direction: np.ndarray) -> np.ndarray:
    """The turn about the vertical y, (3, 3) float32 for column vectors, that puts a vector (3,)
    above +x; the identity where it has no horizontal part.
    """
    x, _, z = np.asarray(direction, dtype=np.float64)
    length = np.hypot(x, z)
    if length < NO_DIRECTION:
        return np.eye(3, dtype=np.float32)
    cos, sin = x / length, z / length
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)


def turn_to_y(direction: np.ndarray) -> np.ndarray:
    """The smallest turn, (3, 3) float32 for column vectors, that puts a vector (3,) along +y; the
    identity where it has no length.
    """
    to_x = turn_to_x(direction)
    x, y, _ = np.float64(to_x @ direction)
    length = np.hypot(x, y)
    if length < NO_DIRECTION:
        return np.eye(3, dtype=np.float32)
    cos, sin = y / length, x / length
    up = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
    return to_x.T @ up @ to_x


def first_body(keypoint: np.ndarray) -> np.ndarray | None:
    """The first body (V, C), float32, of the first person who is there at all in a clip
    (M, T, V, C); a person who is absent from a frame is zero there.
    """
    for person in keypoint:
        if person[0].any():  # nearly always, and quickly known
            return person[0].astype(np.float32)
        present = person.any(axis=(1, 2))
        if present.any():
            return person[present.argmax()].astype(np.float32)
    return None


@TRANSFORMS.register_module()
class CenterSkeleton(BaseTransform):
    """Puts the origin at a joint of the first actor's first frame.

    The first frame is the first in which the first person is there, that is, not all zero; if that
    person never is, the next one counts. A person that is absent from a frame stays zero. All
    persons are moved and turned alike. (The preparation of NTU RGB+D that STARS and MAMP use; joint
    1 is NTU's "middle of the spine". The turns are ours: they take out how the camera stood.)

    Required Keys: keypoint
    Modified Keys: keypoint (becomes float32)

    Args:
        center_joint (int): The joint at the origin, counted from 0.
        align (Sequence[int], optional): Two joints, such as the shoulders (4, 8) of NTU. The clip
            is turned about the vertical axis y through the origin until the first frame's vector
            from the one to the other has its horizontal part along +x. It stays unturned where that
            part is zero. None does not turn. Needs 3D clips.
        upright (Sequence[int], optional): Two joints, the lower and the upper end of the trunk, as
            hip and neck: (0, 2) of Kinect v1, (0, 20) of NTU. Before ``align``, the clip is turned
            until the first frame's vector from the one to the other is along +y. It stays unturned
            where both are in one place. Take joints far apart: a short vector's direction is noise.
            None does not turn. Needs 3D clips.
    """

    def __init__(
        self,
        center_joint: int = 1,
        align: Sequence[int] | None = None,
        upright: Sequence[int] | None = None,
    ) -> None:
        if not isinstance(center_joint, int) or center_joint < 0:
            raise ValueError(f'center_joint={center_joint!r}: give the number of a joint, from 0.')
        self.center_joint = center_joint
        self.align = _two_joints('align', align)
        self.upright = _two_joints('upright', upright)

    def _check(self, results: dict) -> None:
        *_, V, C = results['keypoint'].shape
        clip = f'{self}: clip {results.get("frame_dir")!r} has'
        turning = (*(self.align or ()), *(self.upright or ()))
        if max((self.center_joint, *turning)) >= V:
            raise ValueError(f'{clip} {V} joints, 0 to {V - 1}. Choose among them.')
        if turning and C != 3:
            raise ValueError(
                f'{clip} {C} coordinates, and turning needs 3. Leave out align and upright.'
            )

    def _turn(self, first: np.ndarray) -> np.ndarray:
        """The turn of a clip by its first body (V, 3): (3, 3) float32 for column vectors."""
        turn = np.eye(3, dtype=np.float32)
        if self.upright:
            lower, upper = self.upright
            turn = turn_to_y(first[upper] - first[lower])
        if self.align:
            left, right = self.align
            turn = turn_to_x(turn @ (first[right] - first[left])) @ turn
        return turn

    def transform(self, results: dict) -> dict:
        """Centres, and turns where asked to, ``results['keypoint']`` (M, T, V, C)."""
        self._check(results)
        keypoint = results['keypoint'].astype(np.float32)
        first = first_body(keypoint)
        if first is None:
            results['keypoint'] = keypoint
            return results
        present = keypoint.any(axis=(2, 3))  # (M, T)
        keypoint -= first[self.center_joint]
        if self.align or self.upright:
            flat = keypoint.reshape(-1, 3) @ self._turn(first).T
            keypoint = flat.reshape(keypoint.shape)
        keypoint[~present] = 0
        results['keypoint'] = keypoint
        return results

    def plan(self, view: Any) -> None:
        """Centres, and turns where asked to, a planned view, see :class:`ViewPlan`."""
        self._check(view.results)
        if not view.is_new:
            raise ValueError(f'{self}: comes after another transform of PackViews. Put it first.')
        first = first_body(view.results['keypoint'])
        if first is None:
            return
        view.center = first[self.center_joint]
        if self.align or self.upright:
            view.turn = self._turn(first)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(center_joint={self.center_joint}, align={self.align}, '
            f'upright={self.upright})'
        )


def _two_joints(key: str, joints: Sequence[int] | None) -> tuple[int, ...] | None:
    if joints is None:
        return None
    joints = tuple(joints)
    is_number = all(isinstance(joint, int) and joint >= 0 for joint in joints)
    if not is_number or len(joints) != 2 or joints[0] == joints[1]:
        raise ValueError(f'{key}={joints!r}: give the numbers of two joints, from 0.')
    return joints
