"""Redraws a clip's time so that its motion goes evenly."""

from typing import Any

import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from stars_mm.utils.time_warp import at_steps, even_steps


@TRANSFORMS.register_module()
class MotionTimeWarp(BaseTransform):
    """Redraws a clip's time so that its motion goes evenly, see
    :func:`stars_mm.utils.time_warp.warp_time`.

    What is done slowly and what is done fast then takes as many frames, and waiting takes few. It
    is ours: on small data sets it is worth more than anything that was learned
    (docs/experiments.md). Comes after ``TemporalCropResize``. Turning and mirroring a clip before
    or after it is the same. All persons of a clip count, in ``PackViews`` those that have a slot.

    Required Keys: keypoint, keypoint_score (optional)
    Modified Keys: keypoint (becomes float32), keypoint_score (becomes float32)

    Args:
        share (float): The part of the time that goes by motion, 0 to 1.
        smoothing (int): Half width, in frames, of the moving average that is taken of the speed.
    """

    def __init__(self, share: float = 0.7, smoothing: int = 3) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f'share={share!r}: give a part of the time, 0 to 1.')
        if not isinstance(smoothing, int) or smoothing < 0:
            raise ValueError(f'smoothing={smoothing!r}: give a number of frames, 0 or more.')
        self.share = share
        self.smoothing = smoothing

    def transform(self, results: dict) -> dict:
        """Redraws the time of ``results['keypoint']`` (M, T, V, C), with its scores."""
        if results.get('num_clips', 1) > 1:
            raise ValueError(f'{self}: comes after MultiView. Put it among its transforms.')
        found = {key: results[key] for key in ('keypoint', 'keypoint_score') if key in results}
        clips = {key: torch.from_numpy(array)[None].float() for key, array in found.items()}
        if found['keypoint'].shape[1] > 1:
            steps = even_steps(clips['keypoint'], self.share, self.smoothing)
            clips = {key: at_steps(clip, *steps) for key, clip in clips.items()}
        results.update({key: clip[0].numpy() for key, clip in clips.items()})
        return results

    def plan(self, view: Any) -> None:
        """Redraws the time of a planned view, see :class:`ViewPlan`."""
        if view.crop is None:
            raise ValueError(f'{self}: comes before TemporalCropResize. Put it after.')
        if view.warp_share:
            raise ValueError(f'{self}: time is redrawn twice. Leave one of the two out.')
        view.warp_share, view.warp_smoothing = self.share, self.smoothing

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(share={self.share}, smoothing={self.smoothing})'
