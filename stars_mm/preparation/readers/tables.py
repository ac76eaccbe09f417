"""Clips in a file each: ``.csv``, ``.npy`` and ``.json``.

What a column or the last axis holds is said by ``channels``: 'xy', 'xyz',
'xyc' or 'xyzc', c being the confidence of a joint.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stars_mm.preparation.layouts import SkeletonLayout
from stars_mm.preparation.readers.mmpose import is_mmpose, parse_mmpose
from stars_mm.preparation.recording import FRAMES_LACKING, Clip
from stars_mm.utils.input_error import shown
from stars_mm.utils.limits import check_asked
from stars_mm.utils.safe_arrays import load_npy

CHANNELS = ('xy', 'xyz', 'xyc', 'xyzc')
_AXES = dict(
    x='x', y='y', z='z', c='c', score='c', conf='c', confidence='c', likelihood='c', visibility='c'
)
_COLUMN = re.compile(rf'(.+)[ _.:-]({"|".join(_AXES)})', re.IGNORECASE)
_Rows = list[tuple[int, list[str]]]


class TableOptions(NamedTuple):
    """How to read a file.

    Without ``channels``, they are those of a CSV's header; else 'xy' for two numbers a joint,
    'xyzc' for four, and for three 'xyc' where the layout is in pixels, 'xyz' where not.
    """

    layout: SkeletonLayout  # in the order of the columns or of the joints' axis
    channels: str | None = None  # see the module
    num_person: int = 2  # persons that are kept of mmpose's predictions


def split_channels(array: np.ndarray, options: TableOptions) -> Clip:
    """Parts coordinates and confidences of (…, V, numbers a joint)."""
    count = array.shape[-1]
    three = 'xyc' if options.layout.unit == 'px' else 'xyz'
    channels = options.channels or {2: 'xy', 3: three, 4: 'xyzc'}.get(count)
    if channels is None or len(channels) != count:
        given = f'{count} numbers a joint; channels={channels or CHANNELS} needs another number'
        raise ValueError(f'has {given}. Correct --layout or --channels.')
    return Clip(array[..., :-1], array[..., -1]) if channels.endswith('c') else Clip(array)


def parse_npy(content: bytes, options: TableOptions) -> Clip:
    """A ``.npy`` of (T, V, …), (M, T, V, …) or (T, V · …) numbers."""
    return _split_array(load_npy(content), options)


def parse_json(content: bytes, options: TableOptions) -> Clip:
    """A ``.json``: mmpose's predictions; or (T, V, …) or (M, T, V, …) lists,
    bare or under the key ``keypoints``."""
    content = load_json(content)
    if is_mmpose(content):
        return parse_mmpose(content, options.layout.num_joints, options.num_person)
    if isinstance(content, dict):
        if 'keypoints' not in content:
            raise ValueError(
                f"has no 'keypoints' or 'instance_info'; it has {shown(sorted(content))}."
            )
        content = content['keypoints']
    return _split_array(_to_array(content), options)


def load_json(content: bytes) -> Any:
    """What JSON holds; a ValueError where it is none."""
    try:
        return json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f'is no readable JSON ({error}).') from error


def _to_array(content: list) -> np.ndarray:
    """Nested lists as an array; null is NaN. Says where lists differ."""

    def shape_of(value: Any, where: str) -> tuple:
        if value is None or type(value) in (int, float):
            return ()
        if not isinstance(value, list):
            raise ValueError(f'{where} is {shown(value)}, no number.')
        first: tuple = ()
        for i, part in enumerate(value):
            shape = shape_of(part, f'{where}[{i}]')
            first = first if i else shape
            if shape != first:
                raise ValueError(f'{where}[{i}] has shape {shape}, and those before it {first}.')
        return (len(value), *first)

    shape_of(content, 'keypoints')
    return np.array(content, dtype=np.float64)


def _split_array(array: np.ndarray, options: TableOptions) -> Clip:
    V = options.layout.num_joints
    if array.dtype.kind not in 'fiu':
        raise ValueError(f'holds {array.dtype}, no numbers.')
    if array.ndim == 2 and array.shape[1] and array.shape[1] % V == 0:
        array = array.reshape(len(array), V, -1)
    if array.ndim not in (3, 4) or array.shape[-2] != V:
        wanted = f"[M persons,] T frames, V={V} joints of layout '{options.layout.name}', numbers"
        raise ValueError(f'has shape {array.shape}; ({wanted} a joint) is needed.')
    return split_channels(array, options)


def parse_csv(content: bytes, options: TableOptions) -> Clip:
    """A ``.csv`` (or ``.tsv``) with a row for each frame.

    With a header, columns are named ``left_wrist_x``, ``left_wrist_y``, … in any order, ``_c`` or
    ``_score`` being the confidence; ``frame`` and ``person`` columns part persons; others do not
    count. Without one, they are the numbers of the joints in the layout's order. An empty cell is a
    missing value.
    """
    try:
        lines = content.decode('utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'is no text file ({error}).') from error
    first = next((line for line in lines if line.strip()), '')
    comma = max(',;\t', key=first.count)
    if not first.count(comma):
        raise ValueError('its first line has one column. Part numbers by commas or tabs.')
    rows = [
        (number, [cell.strip() for cell in cells])
        for number, cells in enumerate(csv.reader(lines, delimiter=comma), 1)
        if any(cells)
    ]
    header = rows.pop(0)[1] if None in map(_number, rows[0][1]) else None
    if not rows:
        raise ValueError('has no frame.')
    width = len(header or rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            found = f'{len(cells)} columns, the first one {width}'
            raise ValueError(f'line {number} has {found}. Is the file cut off?')
    if header is not None:
        return _with_header(header, rows, options)
    V = options.layout.num_joints
    if width % V:
        joints = f"the {V} joints of layout '{options.layout.name}'"
        raise ValueError(f'has {width} columns, no multiple of {joints}. Give another --layout.')
    values = _numbers(rows, range(width), None)
    return split_channels(values.reshape(len(rows), V, -1), options)


def names_joints(content: bytes) -> bool:
    """Whether the first line of a ``.csv`` holds anything but numbers."""
    lines = content.decode('utf-8-sig', 'replace').splitlines()
    first = next((line for line in lines if line.strip()), '')
    return any(_number(cell.strip()) is None for cell in re.split('[,;\t]', first))


def _number(cell: str) -> float | None:
    try:
        return float(cell or 'nan')
    except ValueError:
        return None


def _numbers(rows: _Rows, columns: Sequence[int], header: list[str] | None) -> np.ndarray:
    """The cells of some columns, (rows, columns)."""
    values = np.empty((len(rows), len(columns)))
    for i, (number, cells) in enumerate(rows):
        for j, column in enumerate(columns):
            value = _number(cells[column])
            if value is None:
                where = f'line {number}, column {header[column] if header else column + 1}'
                raise ValueError(f'{where}: {shown(cells[column])} is no number.')
            values[i, j] = value
    return values


def _plain(name: str) -> str:
    return re.sub('[^a-z0-9]', '', name.lower())


def _joint_columns(header: list[str], layout: SkeletonLayout) -> dict[tuple[int, str], int]:
    """(joint, axis) → column."""
    joints = {_plain(joint): j for j, joint in enumerate(layout.joints)}
    found: dict[tuple[int, str], int] = {}
    for column, cell in enumerate(header):
        match = _COLUMN.fullmatch(cell)
        if match is None:
            continue
        name, axis = match[1], _AXES[match[2].lower()]
        if _plain(name) not in joints:
            known = f"layout '{layout.name}', which has {', '.join(layout.joints)}"
            raise ValueError(f'column {shown(cell)} names no joint of {known}.')
        key = (joints[_plain(name)], axis)
        if key in found:
            raise ValueError(f'columns {header[found[key]]!r} and {cell!r} are the same.')
        found[key] = column
    if not found:
        needed = f"{layout.joints[0]}_x, or no header and the order of layout '{layout.name}'"
        raise ValueError(f'its header names no joints: needed are columns such as {needed}.')
    return found


def _with_header(header: list[str], rows: _Rows, options: TableOptions) -> Clip:
    layout = options.layout
    columns = _joint_columns(header, layout)
    axes = [axis for axis in 'xyzc' if any(a == axis for _, a in columns)]
    channels = options.channels or ''.join(axes)
    if channels not in CHANNELS:
        raise ValueError(f'its header has the axes {axes}; x and y are needed.')
    wanted = [(j, axis) for j in range(layout.num_joints) for axis in channels]
    missing = [f'{layout.joints[j]}_{axis}' for j, axis in wanted if (j, axis) not in columns]
    if missing:
        such = f'{len(missing)} columns, such as {missing[0]}'
        raise ValueError(f"lacks {such}, of layout '{layout.name}'.")
    values = _numbers(rows, [columns[key] for key in wanted], header)
    values, lacking = _by_person(values.reshape(len(rows), layout.num_joints, -1), header, rows)
    clip = split_channels(values, options._replace(channels=channels))
    return clip._replace(notes={FRAMES_LACKING: lacking})


def _usual_step(frames: np.ndarray) -> float:
    return float(np.median(np.diff(frames))) if len(frames) > 1 else 0


def _count_lacking(frames: np.ndarray, step: float) -> int:
    """How many frames lack between the first and the last of sorted numbers."""
    return int(np.maximum(np.round(np.diff(frames) / step) - 1, 0).sum()) if step else 0


def _by_person(values: np.ndarray, header: list[str], rows: _Rows) -> tuple[np.ndarray, int]:
    """(rows, V, C) → (M, T, V, C), by the columns frame and person; and how many frames lack of
    persons who are seen before and after them."""
    special = {_plain(cell): c for c, cell in enumerate(header)}
    frame, person = special.get('frame'), special.get('person')
    if frame is None:
        if person is None:
            return values[None], 0
        raise ValueError("has a column 'person' and none 'frame'.")
    frames = _numbers(rows, [frame], header)[:, 0]
    if person is None:
        late = np.flatnonzero(np.diff(frames) <= 0)
        if len(late):
            line, (one, other) = rows[late[0] + 1][0], frames[late[0] : late[0] + 2]
            raise ValueError(f'line {line}: frame {other:g} comes after frame {one:g}.')
        return values[None], _count_lacking(frames, _usual_step(frames))
    names = [cells[person] for _, cells in rows]
    persons = {name: m for m, name in enumerate(dict.fromkeys(names))}
    times, places = np.unique(frames, return_inverse=True)
    size = len(persons) * len(times) * values[0].nbytes
    check_asked(size, values.nbytes, f'{len(persons)} persons in {len(times)} frames')
    out = np.zeros((len(persons), len(times), *values.shape[1:]))
    seen = set()
    for (number, _), t, name, value in zip(rows, places, names, values):
        if (name, t) in seen:
            raise ValueError(f'line {number}: person {name} is in frame {times[t]:g} twice.')
        seen.add((name, t))
        out[persons[name], t] = value
    step, own = _usual_step(times), defaultdict(list)
    for name, time in zip(names, frames):
        own[name].append(time)
    return out, sum(_count_lacking(np.sort(some), step) for some in own.values())
