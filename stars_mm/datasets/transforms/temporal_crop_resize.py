"""Cuts a stretch out of a clip and brings it to a fixed number of frames."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


def center_crop(num_frames: int, p: float) -> tuple[int, int]:
    """First frame and number of frames of the middle part ``p``, in (0, 1], of a clip."""
    bias = int((1 - p) * num_frames / 2)
    return bias, num_frames - 2 * bias


def random_crop(
    num_frames: int, p_interval: tuple[float, float], min_frames: int
) -> tuple[int, int]:
    """First frame and number of frames of a random stretch of random length."""
    p = np.random.uniform(*p_interval)
    length = min(max(math.floor(p * num_frames), min_frames), num_frames)
    return np.random.randint(num_frames - length + 1), length


@lru_cache(maxsize=4096)
def _neighbors(length: int, clip_len: int) -> tuple[np.ndarray, ...]:
    """Per new frame: the frames before and after it, and the latter's weight.

    Half-pixel centres: new frame i lies at (i + 1/2)·length/clip_len − 1/2.
    """
    position = (np.arange(clip_len) + 0.5) * (length / clip_len) - 0.5
    position = position.clip(0, length - 1)
    before = position.astype(np.int64)
    after = np.minimum(before + 1, length - 1)
    return before, after, (position - before).astype(np.float32)


def resizing(begin: int, length: int, clip_len: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What :func:`resize_frames` makes of a stretch of a clip, as numbers: for each new frame, the
    frame of the clip before it (int64), the one after it (int64) and the latter's weight (float32).
    """
    before, after, weight = _neighbors(length, clip_len)
    return before + begin, after + begin, weight


def resize_frames(frames: np.ndarray, clip_len: int) -> np.ndarray:
    """Resamples the time axis by linear interpolation, (M, T, ...) → (M, clip_len, ...) float32.

    Equal to ``torch.nn.functional.interpolate(mode='linear', align_corners=False)`` on that axis.
    """
    frames = frames.astype(np.float32)
    if frames.shape[1] == clip_len:
        return frames
    before, after, weight = _neighbors(frames.shape[1], clip_len)
    flat = frames.reshape(*frames.shape[:2], -1)
    start = flat.take(before, axis=1)
    out = flat.take(after, axis=1)
    out -= start
    out *= weight[:, None]
    out += start
    return out.reshape(frames.shape[0], clip_len, *frames.shape[2:])


@TRANSFORMS.register_module()
class TemporalCropResize(BaseTransform):
    """Crops a clip in time and resizes it to ``clip_len`` frames.

    In training a random 50 to 100 % of the frames, in testing the middle
    95 % (MAMP, the published configurations). A person absent from a frame is
    zero there and is interpolated like any other, as in the reference.

    Required Keys: keypoint, keypoint_score (optional), total_frames (optional; the rest is padding)
    Modified Keys: keypoint (becomes float32), keypoint_score (becomes float32), total_frames
    Added Keys: clip_len, num_clips

    Args:
        clip_len (int): Frames of the result, 120 in the paper.
        p_interval (float or Sequence[float]): The part of the frames to keep. A number crops the
            centre, a pair draws the length between both and the place at random.
        min_frames (int): A random crop has at least so many frames, or all
            where the clip has fewer. Choose it below the usual length of a
            clip: 64 suits NTU RGB+D, not NW-UCLA's 39 frames.
    """

    def __init__(
        self,
        clip_len: int = 120,
        p_interval: float | Sequence[float] = (0.5, 1.0),
        min_frames: int = 64,
    ) -> None:
        for key, value in (('clip_len', clip_len), ('min_frames', min_frames)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'{key}={value!r}: give a number of frames, 1 or more.')
        self.random = not isinstance(p_interval, (int, float))
        bounds = tuple(p_interval) if self.random else (p_interval,) * 2
        if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1] <= 1:
            raise ValueError(
                f'p_interval={p_interval!r}: give a part of the frames in '
                '(0, 1], or a pair of them, the smaller one first.'
            )
        self.clip_len = clip_len
        self.p_interval = bounds if self.random else p_interval
        self.min_frames = min_frames

    def transform(self, results: dict) -> dict:
        """Crops and resizes ``results['keypoint']`` (M, T, V, C), with its scores."""
        num_frames = results['keypoint'].shape[1]
        num_frames = min(results.get('total_frames', num_frames), num_frames)
        begin, length = self._draw(num_frames)
        for key in ('keypoint', 'keypoint_score'):
            if key in results:
                results[key] = resize_frames(results[key][:, begin : begin + length], self.clip_len)
        results['total_frames'] = self.clip_len
        results['clip_len'] = self.clip_len
        results['num_clips'] = 1
        return results

    def plan(self, view: Any) -> None:
        """Crops and resizes a planned view, see :class:`ViewPlan`."""
        if view.crop is not None:
            raise ValueError(
                f'{self}: the views are cropped twice. Leave one of the two out, or use the '
                'transforms one by one.'
            )
        view.crop = (*self._draw(view.num_frames), self.clip_len)

    def _draw(self, num_frames: int) -> tuple[int, int]:
        if self.random:
            return random_crop(num_frames, self.p_interval, self.min_frames)
        return center_crop(num_frames, self.p_interval)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(clip_len={self.clip_len}, '
            f'p_interval={self.p_interval}, min_frames={self.min_frames})'
        )
