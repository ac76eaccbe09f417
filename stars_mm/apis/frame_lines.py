"""Frames of a stream, as lines of JSON."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, TextIO

import numpy as np

from stars_mm.preparation.readers.mmpose import read_frame
from stars_mm.utils.input_error import shown

LONGEST_LINE = 1 << 20  #: characters


class Frame(NamedTuple):
    """What :meth:`LiveRecognizer.push` takes."""

    keypoints: np.ndarray | None  # (M, V, C)
    time: float | None = None  # seconds
    scores: np.ndarray | None = None  # (M, V)


def read_lines(stream: TextIO) -> Iterator[str]:
    """The lines of a stream; of one longer than any frame its beginning alone."""
    while line := stream.readline(LONGEST_LINE):
        yield line
        while line and not line.endswith('\n'):
            line = stream.readline(LONGEST_LINE)


def parse_frame(line: str, num_joints: int) -> Frame:
    """A frame of a line: ``{"keypoints": [[x, y, z], …]}`` of one person, a list of such of
    several, or mmpose's ``{"instances": [{"keypoints": …, "keypoint_scores": …}, …]}``; each with
    ``"time"`` in seconds, if wanted. Missing joints are null or NaN; null or an empty list is a
    frame without anybody.

    Raises:
        ValueError: Says what is wrong with it.
    """
    try:
        content: Any = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'is no JSON ({error})') from error
    if not isinstance(content, dict):
        raise ValueError('is no object with "keypoints" or "instances"')
    time = content.get('time')
    if not (time is None or type(time) in (int, float)):
        raise ValueError(f'"time" is {shown(time)}, no number of seconds')
    if 'instances' in content:
        bodies = read_frame(content, 'the frame', num_joints)
        if not len(bodies):
            return Frame(None, time)
        return Frame(bodies[..., :-1], time, bodies[..., -1])
    if 'keypoints' not in content:
        raise ValueError('has neither "keypoints" nor "instances"')
    keypoints = _numbers(content, 'keypoints', 2)
    if keypoints is None:
        return Frame(None, time)
    scores = _numbers(content, 'keypoint_scores', 1)
    if scores is not None and scores.shape != keypoints.shape[:2]:
        raise ValueError(f'"keypoint_scores" are {scores.shape} beside {keypoints.shape[:2]}')
    return Frame(keypoints, time, scores)


def _numbers(content: dict, key: str, axes: int) -> np.ndarray | None:
    """What stands under a key, with an axis of persons before the others."""
    if not content.get(key):
        return None
    try:
        array = np.array(content[key], dtype=np.float64)  # null becomes NaN
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f'"{key}" holds something else than numbers') from None
    if array.ndim not in (axes, axes + 1):
        raise ValueError(f'"{key}" has shape {array.shape}')
    return array[None] if array.ndim == axes else array
