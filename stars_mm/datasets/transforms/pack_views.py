"""Plans the views of a clip, and leaves making them to the model's device."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.datasets.transforms import PackActionInputs
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from stars_mm.datasets.collation import PlannedViews
from stars_mm.datasets.transforms.temporal_crop_resize import resizing


class ViewPlan:
    """What transforms would do to a clip, as numbers.

    A transform with a method ``plan(view)`` changes the plan, drawing the
    random numbers that it draws for a clip.
    """

    def __init__(self, results: dict) -> None:
        T, _, C = results['keypoint'].shape[1:]
        self.results = results  # the clip, to be read
        self.num_frames = min(results.get('total_frames', T), T)  # without padding
        self.center = np.zeros(C, np.float32)  # the point that becomes the origin
        self.turn = np.eye(C, dtype=np.float32)  # the turn about it, for column vectors
        #: (V, ) which joint stands in each place, if a transform exchanges joints
        self.joints: np.ndarray | None = None
        #: First frame, number of frames and the number that they are resized to
        self.crop: tuple[int, int, int] | None = None
        self.warp_share, self.warp_smoothing = 0.0, 0  # as in PlannedViews

    @property
    def is_new(self) -> bool:
        """bool: Whether coordinates and frames are still those of the clip."""
        unturned = (self.turn == np.eye(len(self.turn))).all()
        return self.crop is None and not self.center.any() and unturned


@TRANSFORMS.register_module()
class PackViews(PackActionInputs):
    """Draws what transforms do to a clip, without doing it.

    It ends a pipeline in place of ``MultiView``, ``FormatGCNInput`` and ``PackActionInputs``. What
    it packs is the recording and a few numbers for each view; ``SkeletonPreprocessor`` makes the
    views of the whole batch from them, on the GPU where the model is on one. They are the views
    that the transforms would make of the same random numbers. Set
    ``collate_fn=dict(type='collate_clips')`` in the data loader.

    Required Keys: keypoint, total_frames (optional), label (optional)

    Args:
        transforms (Sequence[dict | BaseTransform]): In their order; each needs a method ``plan``,
            as ``CenterSkeleton``, ``TemporalCropResize``, ``MotionTimeWarp``, ``RandomMirror`` and
            ``RandomRot`` have. One is ``TemporalCropResize``.
        num_views (int): Views of each clip.
        num_person (int): Slots for persons, as in ``FormatGCNInput``.
        mode (str): 'zero' leaves a slot without person empty, 'loop' repeats the only person in it.
        **kwargs: Those of ``PackActionInputs``, such as ``meta_keys``.
    """

    def __init__(
        self,
        transforms: Sequence[dict | BaseTransform],
        num_views: int = 1,
        num_person: int = 2,
        mode: str = 'zero',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for key, value in (('num_views', num_views), ('num_person', num_person)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{key}={value!r}: give a number, 1 or more.')
        if mode not in ('zero', 'loop'):
            raise ValueError(f"mode={mode!r}: choose 'zero' or 'loop'.")
        self.transforms = [
            TRANSFORMS.build(step) if isinstance(step, dict) else step for step in transforms
        ]
        for step in self.transforms:
            if not hasattr(step, 'plan'):
                raise TypeError(
                    f'PackViews cannot plan {step}, which has no method "plan". Put it before '
                    'PackViews, or use the transforms one by one.'
                )
        self.num_views = num_views
        self.num_person = num_person
        self.mode = mode

    def transform(self, results: dict) -> dict:
        """Draws the views: ``inputs`` (:class:`PlannedViews`) and ``data_samples``."""
        if 'keypoint_score' in results:
            raise ValueError(
                f'{self}: clip {results.get("frame_dir")!r} has keypoint_score, and PackViews '
                'makes views of coordinates alone. Use the transforms one by one.'
            )
        packed = super().transform(results)
        M, T = results['keypoint'].shape[:2]
        persons = np.arange(self.num_person)
        if self.mode == 'loop' and M == 1:
            persons[:] = 0
        plans = [self._plan(results) for _ in range(self.num_views)]
        before, after, weight = zip(*(resizing(*plan.crop) for plan in plans))
        packed['inputs'] = PlannedViews(
            frames=packed['inputs'].flatten(0, 1),
            start=torch.from_numpy(np.where(persons < M, persons * T, -1)),
            center=torch.from_numpy(plans[0].center),
            before=stack(before),
            after=stack(after),
            weight=stack(weight),
            turn=stack([plan.turn for plan in plans]),
            joints=None if plans[0].joints is None else stack([plan.joints for plan in plans]),
            warp_share=plans[0].warp_share,
            warp_smoothing=plans[0].warp_smoothing,
        )
        return packed

    def _plan(self, results: dict) -> ViewPlan:
        plan = ViewPlan(results)
        for step in self.transforms:
            step.plan(plan)
        if plan.crop is None:
            raise ValueError(
                f'{self}: the views need one length. Put TemporalCropResize among the transforms.'
            )
        return plan

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(transforms={self.transforms}, num_views={self.num_views}, '
            f'num_person={self.num_person}, mode={self.mode})'
        )


def stack(arrays: Sequence[np.ndarray]) -> torch.Tensor:
    """One tensor of arrays of one shape."""
    return torch.from_numpy(np.stack(arrays))
