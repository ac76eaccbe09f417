"""Reads a ``.skeleton`` recording of NTU RGB+D.

The file is text: the number of frames; for each frame the number of bodies; for each body a line of
10 values, of which the first is the body's id, a line with the number of joints, 25, and for each
joint 12 values, of which the first three are x, y and z in metres.
"""

from typing import NamedTuple, NoReturn

import numpy as np

NUM_JOINTS = 25
_BODY_VALUES = 10
_JOINT_VALUES = 12
#: The largest coordinate that a float32 holds.
_LARGEST = float(np.finfo(np.float32).max)


class Body(NamedTuple):
    """A tracked body: one id of a recording.

    Its frames are taken to follow one another, as in the preparation that published results share:
    a body that was lost for some frames and found again under its id closes up.
    """

    start: int  # the frame in which it first appears; those without any body are not counted
    joints: np.ndarray  # (T, 25, 3) float32, metres: the frames that have it

    @property
    def end(self) -> int:
        """The last of its frames."""
        return self.start + len(self.joints) - 1


class TrackedBodies(NamedTuple):
    """The bodies of a recording, in the order of their first frames; how many frames have a body,
    and how many have none."""

    bodies: list[Body]
    num_frames: int
    num_empty: int


class _Lines:
    """The lines of a file, taken one after another; counts them from 1."""

    def __init__(self, content: bytes) -> None:
        self.at = 0
        self.where = 'the number of frames'
        try:
            self.lines = content.decode('ascii').splitlines()
        except UnicodeDecodeError as error:
            self.fail(content.count(b'\n', 0, error.start) + 1, 'is no text')

    def fail(self, line: int, problem: str) -> NoReturn:
        raise ValueError(f'line {line}: {problem}. Get the file again.')

    def take(self, count: int = 1) -> list[str]:
        """The next lines."""
        begin, self.at = self.at, self.at + count
        if self.at > len(self.lines):
            end = f'the file ends where {self.where} should follow; it is cut off'
            self.fail(len(self.lines) + 1, end)
        return self.lines[begin : self.at]

    def take_count(self, what: str) -> int:
        """The next line, which holds a count."""
        (line,) = self.take()
        if not line.strip().isdecimal() or len(line) > 20:
            self.fail(self.at, f'has {line[:40]!r} where the number of {what} belongs')
        return int(line)

    def check(self, number: int, values: list[str], count: int, of: str = '') -> None:
        """Refuses a line of another number of values, or with one that is no number."""
        if len(values) != count:
            self.fail(number, f'has {len(values)} values where {count} belong{of}')
        for value in values:
            try:
                float(value)
            except ValueError:
                if '.#' not in value:  # NaN and infinity of Microsoft's C library
                    self.fail(number, f'has {value[:40]!r} where a number belongs')


def _read_joints(lines: _Lines) -> list[float]:
    """The 25 times 3 coordinates of a body in a frame."""
    begin = lines.at
    rows = [row.split() for row in lines.take(NUM_JOINTS)]
    try:
        values = [float(value) for row in rows for value in row]
        # not so if one of them is NaN
        if {len(row) for row in rows} == {_JOINT_VALUES} and abs(sum(values)) <= _LARGEST:
            return [v for i in range(0, len(values), _JOINT_VALUES) for v in values[i : i + 3]]
    except ValueError:
        pass  # the rows are gone through to find the line
    points: list[float] = []
    for number, row in enumerate(rows, begin + 1):
        lines.check(number, row, _JOINT_VALUES, ' to a joint')
        # Image positions and orientations, which are not used, may be NaN.
        for value in row[:3]:
            if '.#' in value or not abs(float(value)) <= _LARGEST:
                lines.fail(number, f'has the coordinate {value[:40]!r}')
        points.extend(map(float, row[:3]))
    return points


def _read_body(lines: _Lines, seen: dict[str, list[float]]) -> None:
    """Adds a body's coordinates to those of the frame, under the body's id."""
    values = lines.take()[0].split()
    lines.check(lines.at, values, _BODY_VALUES)
    if values[0] in seen:
        lines.fail(lines.at, f'has the body {values[0]} a second time in one frame')
    joints = lines.take_count('joints')
    if joints != NUM_JOINTS:
        lines.fail(lines.at, f'says {joints} joints; NTU RGB+D has {NUM_JOINTS}')
    seen[values[0]] = _read_joints(lines)


def parse_recording(content: bytes) -> TrackedBodies:
    """Reads the content of a ``.skeleton`` file.

    Raises:
        ValueError: If the file is cut off, its counts do not fit, a value is no number, or no frame
            has a body. Says in which line, and not in which file.
    """
    lines = _Lines(content)
    num_frames = lines.take_count('frames')
    points: dict[str, list[float]] = {}
    starts: dict[str, int] = {}
    present = 0
    for frame in range(num_frames):
        lines.where = of = f'frame {frame + 1} of {num_frames}'
        num_bodies = lines.take_count('bodies')
        seen: dict[str, list[float]] = {}
        for body in range(num_bodies):
            lines.where = f'body {body + 1} of {num_bodies} in {of}'
            _read_body(lines, seen)
        for name, joints in seen.items():
            points.setdefault(name, []).extend(joints)
            starts.setdefault(name, present)
        present += num_bodies > 0
    for number in range(lines.at, len(lines.lines)):
        if lines.lines[number].strip():
            lines.fail(number + 1, f'goes on after the {num_frames} frames of line 1')
    if not present:
        raise ValueError(f'line 1: none of its {num_frames} frames has a body. Remove it.')
    bodies = [
        Body(starts[body], np.array(values, np.float32).reshape(-1, NUM_JOINTS, 3))
        for body, values in points.items()
    ]
    if not any(body.joints.any() for body in bodies):
        raise ValueError('line 1: all coordinates of all bodies are zero. Remove it.')
    return TrackedBodies(bodies, present, num_frames - present)
