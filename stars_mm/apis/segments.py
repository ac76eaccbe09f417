"""Long recordings cut into segments: what is done when."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from stars_mm.apis.inputs import InputClip
from stars_mm.apis.window_comparison import WindowComparison

if TYPE_CHECKING:
    from stars_mm.apis.few_shot_recognizer import FewShotRecognizer

#: Windows are as long as these quantiles of the examples.
LENGTHS = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Windows begin so often in the usual length of an example.
STARTS = 16
#: What a segment costs, in usual lengths of an example: many short ones are no better than a long.
COST = 0.02
#: A frame of a segment may be so much less similar to an example than a clip that is known.
SLACK = 0.1
_SHORTEST = 8  # frames of a window
_GROUPS = 32  # of windows that begin together, compared at a time


def example_frames(recognizer: 'FewShotRecognizer', fps: float | None) -> np.ndarray:
    """Frames that each of a recognizer's examples lasts at so many frames a second."""
    if not recognizer.frames:
        raise ValueError('how long are the examples? Learn from recordings, not from features.')
    rate = 1.0 if fps is None or recognizer.fps is None else fps / recognizer.fps
    return rate * np.array(recognizer.frames)


def window_lengths(frames: Sequence[float], quantiles: Sequence[float] = LENGTHS) -> list[int]:
    """Numbers of frames of windows for examples of so many frames, the shortest first, each at
    least a twentieth longer than the one before."""
    lengths: list[int] = []
    for length in np.quantile(np.asarray(frames, float), quantiles).round().clip(_SHORTEST):
        if not lengths or length >= 1.05 * lengths[-1]:
            lengths.append(int(length))
    return lengths


def window_spans(present: np.ndarray, lengths: Sequence[int], step: int) -> list[tuple[int, int]]:
    """Windows, first frame and that after the last, all over a recording: those in at least half of
    whose frames somebody is there.

    Args:
        present (np.ndarray): Whether somebody is there, (T, ) bool.
        lengths (Sequence[int]): Frames of a window; one that is longer than the recording is cut.
        step (int): Frames from one window to the next.
    """
    T = len(present)
    seen = np.concatenate([[0], np.cumsum(present)])
    spans = {
        (min(begin, max(T - length, 0)), min(begin + length, T))
        for length in lengths
        for begin in range(0, max(T - length, 0) + step, step)
    }
    return sorted(span for span in spans if 2 * (seen[span[1]] - seen[span[0]]) >= np.diff(span))


def best_segments(
    spans: Sequence[tuple[int, int]], values: np.ndarray, num_frames: int, none: float, cost: float
) -> list[tuple[int, int, int, float]]:
    """The windows that together explain a recording best.

    No two of them overlap. A frame of a window is worth the window's highest value, one outside all
    of them ``none``, and each window costs ``cost``; the sum is the highest that there is, found by
    dynamic programming over the frames.

    Args:
        spans (Sequence[tuple[int, int]]): First frame of every window and that after its last.
        values (np.ndarray): What a window is worth as one of every class, (windows, classes).
        num_frames (int): T.
        none (float): Worth of a frame that belongs to no class.
        cost (float): Of a window.

    Returns:
        list[tuple]: First frame, the frame after the last, number of the class, value. Windows of
        one class without a frame between them are one segment.
    """
    ending: dict[int, list[int]] = {}
    for number, (_, end) in enumerate(spans):
        ending.setdefault(end, []).append(number)
    classes = values.argmax(axis=1).tolist() if len(spans) else []
    worth = values.max(axis=1).tolist() if len(spans) else []
    total, chosen = [0.0], [-1]
    for end in range(1, num_frames + 1):
        total.append(total[end - 1] + none)
        chosen.append(-1)
        for number in ending.get(end, ()):
            begin = spans[number][0]
            found = total[begin] + (end - begin) * worth[number] - cost
            if found > total[end]:
                total[end], chosen[end] = found, number
    segments: list[tuple[int, int, int, float]] = []
    end = num_frames
    while end > 0:
        number = chosen[end]
        if number < 0:
            end -= 1
            continue
        begin, last, value = spans[number][0], end, worth[number]
        if segments and segments[-1][0] == end and segments[-1][2] == classes[number]:
            _, last, _, other = segments.pop()
            value = ((end - begin) * value + (last - end) * other) / (last - begin)
        segments.append((begin, last, classes[number], value))
        end = begin
    return segments[::-1]


def find_segments(
    recognizer: 'FewShotRecognizer', clip: InputClip, fps: float | None = None
) -> list[dict]:
    """What is done when in a recording; see :meth:`FewShotRecognizer.segments`."""
    compare = WindowComparison(recognizer)
    frames = example_frames(recognizer, fps)
    usual = float(np.median(frames))
    present = clip.keypoint.any(axis=(0, 2, 3))
    spans = window_spans(present, window_lengths(frames), max(round(usual / STARTS), 1))
    compared: list[tuple[int, int]] = []
    values = [np.empty((0, len(recognizer.classes)))]
    groups = [list(group) for _, group in groupby(spans, key=lambda span: span[0])]
    for start in range(0, len(groups), _GROUPS):
        some = groups[start : start + _GROUPS]
        chosen, similarities = compare([[clip.cut(*span) for span in group] for group in some], 2)
        windows = [span for group in some for span in group]
        compared += [windows[number] for number in chosen]
        values.append(similarities)
    found = best_segments(
        compared, np.concatenate(values), len(present), recognizer.threshold - SLACK, COST * usual
    )
    segments = []
    for begin, end, number, value in found:
        segment = dict(begin=begin, end=end, label=recognizer.classes[number])
        if fps is not None:
            segment.update(begin_time=round(begin / fps, 3), end_time=round(end / fps, 3))
        segments.append(dict(segment, score=round(value, 4)))
    return segments
