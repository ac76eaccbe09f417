"""Recognizes what somebody is doing, frame by frame."""

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from stars_mm.apis.few_shot_recognizer import FewShotRecognizer
from stars_mm.apis.inputs import InputClip, ReadOptions
from stars_mm.apis.person_follower import PersonFollower
from stars_mm.apis.segments import SLACK, example_frames, window_lengths
from stars_mm.apis.window_comparison import WindowComparison
from stars_mm.preparation.clip_conversion import METRES, stored_coordinates
from stars_mm.preparation.clip_faults import farthest_coordinate
from stars_mm.preparation.layouts import get_layout

#: Windows are as long as these quantiles of the examples.
LENGTHS = (0.1, 0.3, 0.5)
#: How much a class that was seen counts less after the usual length of an example.
FADING = 0.3
LATEST = 1e11  # seconds; beyond, a float does not tell frames apart
GAP = 0.5  # seconds without anybody after which what was before does not count


class LiveRecognizer:
    """Recognizes a stream of frames by what a recognizer has learned.

    ::

        live = LiveRecognizer(FewShotRecognizer.load('actions.npz'), fps=30)
        for keypoints in camera:
            change = live.push(keypoints)     # None, or dict(time=…, label='wave', …)

    Several times a second windows as long as the examples that end now are compared with these: by
    the clips' own geometry first, which takes little time; the one that fits best is encoded. A
    class keeps the similarity that it had, fading, so that labels do not flicker; the highest is
    the label, where it is high enough.

    Args:
        recognizer (FewShotRecognizer): Has learned.
        fps (float): Frames a second, where these have no time of their own. The examples count as
            recorded so, where ``recognizer.fps`` does not say otherwise.
        every (float): Seconds from one recognition to the next.
        **options: ``layout``, ``unit`` and ``up`` of the frames, as of recordings; the layout is by
            default that of the examples.
    """

    def __init__(
        self, recognizer: FewShotRecognizer, fps: float = 30, every: float = 0.25, **options: Any
    ) -> None:
        for key, value in (('fps', fps), ('every', every)):
            if not 0 < value < float('inf'):
                raise ValueError(f'{key}={value!r}: must be positive.')
        self.recognizer = recognizer
        self.fps, self.every = fps, every
        given: dict[str, Any] = {
            **vars(recognizer.reading({})),
            'layout': recognizer.layout,
            **options,
        }
        self.options = ReadOptions(**given)
        if self.options.layout is None:
            raise ValueError('what are the joints? Give the layout.')
        self.layout = get_layout(self.options.layout)
        self.unit = self.options.unit or self.layout.unit
        self._stored = replace(self.layout, unit='m' if self.unit in METRES else self.unit)
        frames = example_frames(recognizer, fps)
        self._lengths = window_lengths(frames, LENGTHS)
        self._fading = FADING * fps / float(np.median(frames))  # a second
        self._follower = PersonFollower(self.layout, farthest_coordinate(self.unit))
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._count = 0
        self._least = max(recognizer.threshold - SLACK, -1.0)
        self._compare = WindowComparison(recognizer)
        self._forget()
        self._label: str | None = None

    def push(
        self,
        keypoints: np.ndarray | None,
        time: float | None = None,
        scores: np.ndarray | None = None,
    ) -> dict | None:
        """Take a frame, and say whether what is done has changed.

        Args:
            keypoints (np.ndarray, optional): (M, V, C) or (V, C), NaN where a joint is missing;
                None, or M = 0, where nobody is there.
            time (float, optional): Seconds, growing; by default frames are counted.
            scores (np.ndarray, optional): Confidences (M, V): a joint at zero with the score 0 is
                missing.

        Returns:
            dict or None: ``time`` in seconds, ``label``, None for none of the classes; ``known``,
            whether it is one of them; ``score``, the similarity to its nearest example. None where
            the label is as before.

        Raises:
            ValueError: If the frame is none of the layout's, a body is too far away, or the time no
                number.
        """
        if time is not None and not abs(time) < LATEST:
            raise ValueError(f'time={time!r:.40}: give seconds.')
        now = self._count / self.fps if time is None else float(time)
        pose = self._follower.follow(keypoints, scores)  # (V, C)
        self._count += 1
        last = self._frames[-1][0] if self._frames else now
        if now < last or now - last > GAP:
            self._forget()
            if pose is None:
                self._follower.forget()
        if pose is not None and not (self._frames and now == self._frames[-1][0]):
            self._frames.append((now, stored_coordinates(pose, self.unit, self.options.up)))
        longest = self._lengths[-1] / self.fps
        while self._frames and self._frames[0][0] < now - longest:
            self._frames.popleft()
        if self._seen is not None and now - self._seen < self.every - 0.4 / self.fps:
            return None
        return self._change(now)

    def _forget(self) -> None:
        self._frames.clear()
        self._held = np.full(len(self.recognizer.classes), -1.0)  # similarity of each class
        self._seen: float | None = None  # when it was last recognized

    def _change(self, now: float) -> dict | None:
        windows = self._windows(now)
        if self._seen is not None:
            self._held -= self._fading * (now - self._seen)
        self._seen = now
        if windows:
            least = max(self._least, self._held.max())  # what is farther changes no label
            _, similarities = self._compare([windows], keep=1, least=least)
            self._held = np.vstack([self._held, similarities]).max(axis=0)
        best = int(self._held.argmax())
        known = bool(self._held[best] >= self._least and windows)
        label = self.recognizer.classes[best] if known else None
        if label == self._label:
            return None
        self._label = label
        score = round(float(max(self._held[best], 0)), 4)
        return dict(time=round(now, 3), label=label, known=known, score=score)

    def _windows(self, now: float) -> list[InputClip]:
        """The windows that end now, their frames evenly spaced."""
        if not self._frames:
            return []
        times = np.array([when for when, _ in self._frames])
        poses = np.stack([pose for _, pose in self._frames])  # (T, V, C)
        found = []
        for length in self._lengths:
            if times[0] > now - (length - 1.5) / self.fps:
                break
            at = now - np.arange(length - 1, -1, -1) / self.fps
            after = np.searchsorted(times, at).clip(1, max(len(times) - 1, 1))
            step = times[after] - times[after - 1]
            weight = ((at - times[after - 1]) / step).clip(0, 1)[:, None, None]
            window = poses[after - 1] * (1 - weight) + poses[after] * weight
            found.append(InputClip('stream', window[None].astype(np.float32), self._stored))
        return found
