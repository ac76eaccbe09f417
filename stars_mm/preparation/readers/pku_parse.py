"""Parses the three kinds of files of PKU-MMD.

Errors say what is wrong and in which line, and not in which file.
"""

import io
import math
import re
import warnings
from typing import NamedTuple, NoReturn

import numpy as np

NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES = 2, 25, 3
#: How a heading of a split file begins → the part that it opens. (The data
#: set spells 'Validataion'.)
_HEADINGS = dict(tra='train', val='val', tes='val')
_ROW = NUM_PERSONS * NUM_JOINTS * NUM_COORDINATES


class LabelRow(NamedTuple):
    """An action: its line in the file, its class counted from 0, its frames [start, end)."""

    line: int
    label: int
    start: int
    end: int


def _find_fault(content: bytes) -> NoReturn:
    """Names the first line that is no frame."""
    for number, line in enumerate(content.splitlines(), 1):
        values = line.split()
        if values and len(values) != _ROW:
            raise ValueError(
                f'line {number}: has {len(values)} numbers; a frame has '
                f'{_ROW}, 2 bodies of 25 joints. The file may be cut off: get '
                'it again.'
            )
        for value in values:
            text = value.decode('ascii', 'backslashreplace')
            try:
                with np.errstate(over='ignore'):
                    finite = np.isfinite(np.float32(text))
            except ValueError:
                raise ValueError(
                    f"line {number}: holds '{text}' where a number belongs. Mend or remove it."
                ) from None
            if not finite:
                raise ValueError(
                    f"line {number}: holds '{text}', which is no finite float32. Mend or remove it."
                )
    raise ValueError('is no table of numbers. Get it again.')


def parse_skeleton(content: bytes) -> np.ndarray:
    """Reads the frames of a recording.

    Args:
        content (bytes): A row of 150 numbers a frame, metres.

    Returns:
        np.ndarray: (T, 150) float32.
    """
    if not content.strip():
        raise ValueError('holds no frames. Get it again, or remove it.')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of values too large
            frames = np.loadtxt(io.BytesIO(content), comments=None, ndmin=2)
            frames = frames.astype(np.float32)
    except ValueError:  # a decoding error is one too
        _find_fault(content)
    if frames.shape[1] != _ROW or not np.isfinite(frames).all():
        _find_fault(content)
    return frames


def _integers(line: str) -> list[int]:
    values = []
    for text in line.split(','):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not value.is_integer():
            raise ValueError(f"holds '{text.strip()}' where a whole number belongs. Mend it.")
        values.append(int(value))
    return values


def _label_row(number: int, line: str, num_classes: int) -> LabelRow:
    values = _integers(line)
    if len(values) != 4:
        raise ValueError(
            f'has {len(values)} numbers; class, start, end and confidence are needed. Mend it.'
        )
    action, start, end, _ = values
    if not 1 <= action <= num_classes:
        raise ValueError(
            f'class {action} is not in PKU-MMD, which has 1 to {num_classes}. Mend it.'
        )
    if start < 0 or end <= start:
        raise ValueError(f'frames {start} to {end} are none. Mend it.')
    return LabelRow(number, action - 1, start, end)


def check_row(row: LabelRow, num_frames: int) -> None:
    """Refuses a row that ends past the recording's ``num_frames``."""
    if row.end > num_frames:
        raise ValueError(
            f'line {row.line}: frames {row.start} to {row.end} go past the end of the recording, '
            f'which has {num_frames}. Mend it, or say --reader-options outside=cut to end the clip '
            'there, as the published arrays do.'
        )


def parse_labels(content: bytes, num_classes: int) -> list[LabelRow]:
    """Reads the actions of a recording.

    Args:
        content (bytes): Rows of class (from 1), start, end, confidence.
        num_classes (int): The largest class.

    Returns:
        list[LabelRow]: In the order of the file.
    """
    try:
        lines = content.decode('ascii').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'is no text ({error}). Get it again.') from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(_label_row(number, line, num_classes))
        except ValueError as error:
            raise ValueError(f'line {number}: {error}') from error
    if not rows:
        raise ValueError('holds no label row. Get it again, or remove it and its skeletons.')
    return rows


def parse_split(content: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """Reads which recordings train and which validate.

    Args:
        content (bytes): A heading ``Training ...:``, names parted by commas,
            a heading ``Validation ...:``, names.

    Returns:
        tuple: The names that train, the names that validate.
    """
    try:
        lines = content.decode('ascii').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'is no text ({error}). Get it again.') from error
    parts = dict(train=set(), val=set())
    part = None
    for number, line in enumerate(lines, 1):
        if line.strip().endswith(':'):
            part = _HEADINGS.get(line.strip().lower()[:3])
            if part is None:
                raise ValueError(
                    f"line {number}: '{line.strip()}' is no "
                    "heading; 'Training ids:' and 'Validation "
                    "ids:' are known. Mend it."
                )
            continue
        names = set(re.split(r'[,\s]+', line)) - {''}
        if names and part is None:
            raise ValueError(
                f"line {number}: names come before the heading 'Training ids:'. Mend it."
            )
        if names:
            other = parts['val' if part == 'train' else 'train']
            if both := sorted(names & other):
                raise ValueError(
                    f"line {number}: '{both[0]}' is to train and to validate. Remove one of them."
                )
            parts[part] |= names
    for name, heading in (('train', 'Training'), ('val', 'Validation')):
        if not parts[name]:
            raise ValueError(
                f"names nothing after '{heading} ids:'. The file may be cut off: get it again."
            )
    return frozenset(parts['train']), frozenset(parts['val'])


def cut(frames: np.ndarray, row: LabelRow, max_frames: int) -> np.ndarray:
    """Cuts a clip out of a recording.

    Args:
        frames (np.ndarray): (T, 150).
        row (LabelRow): Which frames.
        max_frames (int): What is longer loses its end; 0 keeps all.

    Returns:
        np.ndarray: (M, T, 25, 3), a copy; M is 1 where the second body is
        zero throughout, and T may be 0.
    """
    end = min(row.end, row.start + max_frames) if max_frames else row.end
    clip = frames[row.start : end]
    clip = clip.reshape(-1, NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES)
    keypoint = clip.transpose(1, 0, 2, 3)  # (M, T, V, C)
    num_persons = NUM_PERSONS if keypoint[1].any() else 1
    return keypoint[:num_persons].copy()
