"""Moves a clip to the origin, and turns it to face one way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

#: Horizontal distance (metres) under which two joints give no direction.
_NO_DIRECTION = 1e-6


def turn_to_x(direction: np.ndarray) -> np.ndarray:
    """The turn about the vertical y, (3, 3) float32 for column vectors, that puts a vector (3,)
    above +x; the identity where it has no horizontal part.
    """
    x, _, z = np.asarray(direction, dtype=np.float64)
    length = np.hypot(x, z)
    if length < _NO_DIRECTION:
        return np.eye(3, dtype=np.float32)
    cos, sin = x / length, z / length
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)


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
    1 is NTU's "middle of the spine". The turn is ours: it takes out the camera's yaw.)

    Required Keys: keypoint
    Modified Keys: keypoint (becomes float32)

    Args:
        center_joint (int): The joint at the origin, counted from 0.
        align (Sequence[int], optional): Two joints, such as the shoulders (4, 8) of NTU. The clip
            is turned about the vertical axis y through the origin until the first frame's vector
            from the one to the other has its horizontal part along +x. It stays unturned where that
            part is zero. None does not turn. Needs 3D clips.
    """

    def __init__(self, center_joint: int = 1, align: Sequence[int] | None = None) -> None:
        if not isinstance(center_joint, int) or center_joint < 0:
            raise ValueError(f'center_joint={center_joint!r}: give the number of a joint, from 0.')
        if align is not None:
            align = tuple(align)
            is_number = all(isinstance(joint, int) and joint >= 0 for joint in align)
            if not is_number or len(align) != 2 or align[0] == align[1]:
                raise ValueError(f'align={align!r}: give the numbers of two joints, from 0.')
        self.center_joint = center_joint
        self.align = align

    def _check(self, results: dict) -> None:
        *_, V, C = results['keypoint'].shape
        clip = f'{self}: clip {results.get("frame_dir")!r} has'
        if max((self.center_joint, *(self.align or ()))) >= V:
            raise ValueError(f'{clip} {V} joints, 0 to {V - 1}. Choose among them.')
        if self.align and C != 3:
            raise ValueError(
                f'{clip} {C} coordinates, and turning about the vertical needs 3. Leave out align.'
            )

    def transform(self, results: dict) -> dict:
        """Centres, and with ``align`` turns, ``results['keypoint']`` (M, T, V, C)."""
        self._check(results)
        keypoint = results['keypoint'].astype(np.float32)
        first = first_body(keypoint)
        if first is None:
            results['keypoint'] = keypoint
            return results
        present = keypoint.any(axis=(2, 3))  # (M, T)
        keypoint -= first[self.center_joint]
        if self.align:
            turn = turn_to_x(first[self.align[1]] - first[self.align[0]])
            flat = keypoint.reshape(-1, 3) @ turn.T
            keypoint = flat.reshape(keypoint.shape)
        keypoint[~present] = 0
        results['keypoint'] = keypoint
        return results

    def plan(self, view: Any) -> None:
        """Centres, and with ``align`` turns, a planned view, see :class:`ViewPlan`."""
        self._check(view.results)
        if not view.is_new:
            raise ValueError(f'{self}: comes after another transform of PackViews. Put it first.')
        first = first_body(view.results['keypoint'])
        if first is None:
            return
        view.center = first[self.center_joint]
        if self.align:
            view.turn = turn_to_x(first[self.align[1]] - first[self.align[0]])

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(center_joint={self.center_joint}, align={self.align})'
