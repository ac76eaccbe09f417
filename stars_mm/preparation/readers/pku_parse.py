"""Parses the three kinds of files of PKU-MMD.

Errors say what is wrong and in which line, and not in which file.
"""

import io
import re
import warnings
from typing import NamedTuple, NoReturn

import numpy as np

NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES = 2, 25, 3
#: How a heading of a split file begins → the part that it opens. (The data
#: set spells 'Validataion'.)
_HEADINGS = dict(tra='train', val='val', tes='val')
ROW = NUM_PERSONS * NUM_JOINTS * NUM_COORDINATES


class LabelRow(NamedTuple):
    """An action: its line in the file, its class counted from 0, its frames [start, end)."""

    line: int
    label: int
    start: int
    end: int


def parse_skeleton(content: bytes) -> np.ndarray:
    """Reads the frames of a recording, a row of 150 numbers each, as (T, 150) float32."""
    if not content.strip():
        raise ValueError('holds no frames. Get it again, or remove it.')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of values too large
            frames = np.loadtxt(io.BytesIO(content), comments=None, ndmin=2).astype(np.float32)
    except ValueError:  # a decoding error is one too
        _find_fault(content)
    if frames.shape[1] != ROW or not np.isfinite(frames).all():
        _find_fault(content)
    return frames


def _find_fault(content: bytes) -> NoReturn:
    """Names the first line that is no frame."""
    for number, line in enumerate(content.decode('ascii', 'backslashreplace').splitlines(), 1):
        values = line.split()
        if values and len(values) != ROW:
            has = f'{len(values)} numbers; a frame has {ROW}, 2 bodies of 25 joints'
            raise ValueError(f'line {number}: has {has}. It may be cut off: get it again.')
        for text in values:
            fault = 'which is no finite float32'
            try:
                if abs(float(text)) <= np.finfo(np.float32).max:
                    continue
            except ValueError:
                fault = 'where a number belongs'
            raise ValueError(f"line {number}: holds '{text}', {fault}. Mend or remove it.")
    raise ValueError('is no table of numbers. Get it again.')


def _lines(content: bytes) -> list[tuple[int, str]]:
    """The lines of a text that are not empty, with their numbers."""
    try:
        lines = content.decode('ascii').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'is no text ({error})') from error
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def parse_labels(content: bytes, num_classes: int) -> list[LabelRow]:
    """Reads the actions of a recording: rows of class (from 1), start, end, confidence."""
    rows = []
    for number, line in _lines(content):
        values = []
        for text in line.split(','):
            if not re.fullmatch(r'\s*[-+]?\d+(\.0*)?\s*', text):
                holds = f"holds '{text.strip()}' where a whole number belongs"
                raise ValueError(f'line {number}: {holds}')
            values.append(int(float(text)))
        if len(values) != 4:
            needed = 'class, start, end and confidence are needed'
            raise ValueError(f'line {number}: has {len(values)} numbers; {needed}')
        action, start, end, _ = values
        if not 1 <= action <= num_classes:
            raise ValueError(f'line {number}: class {action} is not one of 1 to {num_classes}')
        if start < 0 or end <= start:
            raise ValueError(f'line {number}: frames {start} to {end} are none')
        rows.append(LabelRow(number, action - 1, start, end))
    if not rows:
        raise ValueError('holds no label row')
    return rows


def parse_split(content: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """Reads which recordings train and which validate: below a heading ``Training ...:`` and a
    heading ``Validation ...:`` names parted by commas."""
    parts: dict[str, set] = dict(train=set(), val=set())
    part = None
    for number, line in _lines(content):
        if line.endswith(':'):
            part = _HEADINGS.get(line.lower()[:3])
            if part is None:
                known = "'Training ids:' and 'Validation ids:' are known"
                raise ValueError(f"line {number}: '{line}' is no heading; {known}")
            continue
        if part is None:
            raise ValueError(f"line {number}: names come before the heading 'Training ids:'")
        parts[part] |= set(re.split(r'[,\s]+', line)) - {''}
        if both := sorted(parts['train'] & parts['val']):
            raise ValueError(f"line {number}: '{both[0]}' is to train and to validate")
    for name, heading in (('train', 'Training'), ('val', 'Validation')):
        if not parts[name]:
            raise ValueError(f"names nothing after '{heading} ids:'; it may be cut off")
    return frozenset(parts['train']), frozenset(parts['val'])


def cut(frames: np.ndarray, row: LabelRow, max_frames: int) -> np.ndarray:
    """Cuts a clip (M, T, 25, 3), a copy, out of the (T, 150) of a recording; what is longer than
    ``max_frames`` (0: no limit) loses its end, and a body that is zero throughout is left out."""
    end = min(row.end, row.start + max_frames) if max_frames else row.end
    clip = frames[row.start : end].reshape(-1, NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES)
    keypoint = clip.transpose(1, 0, 2, 3)  # (M, T, V, C)
    return keypoint[: NUM_PERSONS if keypoint[1].any() else 1].copy()
