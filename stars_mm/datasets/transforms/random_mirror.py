"""Exchanges left and right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from stars_mm.preparation.layouts import SkeletonLayout, get_layout


@TRANSFORMS.register_module()
class RandomMirror(BaseTransform):
    """Mirrors a clip at the plane x = 0, with all its persons.

    What was done with the right hand is then done with the left one: the joints' coordinates are
    mirrored, and left and right joints change their places, so that the clip shows an ordinary
    person. Centre the clip first; one that ``CenterSkeleton`` has aligned stays so. Not for classes
    that differ in the side alone.

    Required Keys: keypoint, keypoint_score (optional)
    Modified Keys: keypoint, keypoint_score

    Args:
        left (Sequence[int], optional): Joints of the left side.
        right (Sequence[int], optional): Their counterparts, in the same order.
        prob (float): Probability with which a clip is mirrored.
        layout (str, dict or SkeletonLayout, optional): In place of ``left``
            and ``right``: the layout whose pairs they are, such as 'coco-17';
            see :func:`stars_mm.preparation.layouts.get_layout`.
    """

    def __init__(
        self,
        left: Sequence[int] | None = None,
        right: Sequence[int] | None = None,
        prob: float = 0.5,
        layout: str | dict | SkeletonLayout | None = None,
    ) -> None:
        if layout is not None and (left, right) == (None, None):
            layout = get_layout(layout)
            left, right = layout.left, layout.right
        elif layout is not None or left is None or right is None:
            sides = f'left={left}, right={right}, layout={layout!r}'
            raise ValueError(f'{sides}: give the sides or the layout, and not both.')
        left, right = tuple(left), tuple(right)
        joints = left + right
        if len(left) != len(right) or len(set(joints)) < len(joints):
            raise ValueError(
                f'left={left}, right={right}: each left joint needs one '
                'counterpart on the right, and no joint may stand twice.'
            )
        if not left or min(joints) < 0:
            raise ValueError(f'left={left}, right={right}: give joints by number, counted from 0.')
        if not 0 <= prob <= 1:
            raise ValueError(f'prob={prob!r}: must lie in [0, 1].')
        self.left, self.right, self.prob = left, right, prob

    def transform(self, results: dict) -> dict:
        """Mirrors ``results['keypoint']`` (M, T, V, C), with its scores, or leaves it."""
        order = self._order(results)
        if np.random.random() < self.prob:
            keypoint = results['keypoint'][..., order, :]
            keypoint[..., 0] *= -1
            results['keypoint'] = keypoint
            if 'keypoint_score' in results:
                results['keypoint_score'] = results['keypoint_score'][..., order]
        return results

    def plan(self, view: Any) -> None:
        """Mirrors a planned view, see :class:`ViewPlan`."""
        order = self._order(view.results)
        if view.joints is None:
            view.joints = np.arange(len(order))
        if np.random.random() < self.prob:
            view.joints = view.joints[order]
            view.turn = view.turn.copy()
            view.turn[0] *= -1

    def _order(self, results: dict) -> np.ndarray:
        """Which joint stands in each place of a mirrored clip."""
        V = results['keypoint'].shape[-2]
        if max(self.left + self.right) >= V:
            text = f'{self}: clip {results.get("frame_dir")!r} has {V} joints, 0 to {V - 1}'
            raise ValueError(f'{text}. Choose left and right among them.')
        order = np.arange(V)
        order[[*self.left, *self.right]] = [*self.right, *self.left]
        return order

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(left={self.left}, right={self.right}, prob={self.prob})'
