"""Arrays of clips kept flat: plain ``.npy`` files and JSON, no pickle.

Clips differ in size. Of each of their entries that is an array of numbers there are three arrays:

- ``keypoint``: the values of all N clips, one after another, as they are (float16 or float32)
- ``keypoint.offset`` (N + 1,): clip i is ``keypoint[offset[i]:offset[i + 1]]``
- ``keypoint.shape`` (N, 4): of the shape (M, T, V, C); -1 throughout where a clip has no such entry

:class:`FlatArrayWriter` writes them into a folder, from which they can be mapped into memory. The
annotation file as an ``.npz`` is such a folder zipped, with two arrays more: ``format``, the text
'stars_mm annotations 1', and ``about``, the UTF-8 bytes of JSON ``{"split": {name: [frame_dir,
...]}, "annotations": [{"frame_dir": ..., "label": ..., "total_frames": ...}, ...], "extra":
{...}}``: all of the clips but their arrays. Without this package a clip is read so::

    file = numpy.load('ann.npz', allow_pickle=False)
    clips = json.loads(bytes(file['about']))['annotations']
    start, end = file['keypoint.offset'][i:i + 2]
    keypoint = file['keypoint'][start:end].reshape(file['keypoint.shape'][i])
"""

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stars_mm.utils.input_error import reading
from stars_mm.utils.limits import most_bytes
from stars_mm.utils.safe_arrays import load_npz

NPZ_FORMAT = 'stars_mm annotations 1'
#: The longest text in an array of text that is kept as JSON, in bytes of 4 a character.
_LONGEST = 4096
_RESERVED = ('format', 'about')


class _Column:
    """A file of one entry's arrays of one type and number of axes, being written."""

    def __init__(self, path: Path, like: np.ndarray, has_sums: bool) -> None:
        self.path, self.dtype, self.axes = path, like.dtype, like.ndim
        self.shapes: dict[int, tuple[int, ...]] = {}
        self.sums: dict[int, int] | None = {} if has_sums else None
        self.file = open(path, 'wb')
        self.write_header(0)

    def write_header(self, size: int) -> None:
        """Writes the header; numpy pads every one of a single axis to the same length."""
        about = dict(descr=self.dtype.str, fortran_order=False, shape=(size,))
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, about)

    def close(self, count: int) -> None:
        """Writes where the arrays of all clips are."""
        shapes = np.full((count, self.axes), -1, np.int64)
        shapes[list(self.shapes)] = list(self.shapes.values())
        sizes = np.where(shapes[:, 0] < 0, 0, shapes.prod(1))
        self.write_header(int(sizes.sum()))
        self.file.close()
        np.save(self.path.with_suffix('.offset.npy'), np.concatenate([[0], sizes.cumsum()]))
        np.save(self.path.with_suffix('.shape.npy'), shapes)
        if self.sums is not None:
            sums = np.zeros(count, np.uint32)
            sums[list(self.sums)] = list(self.sums.values())
            np.save(self.path.with_suffix('.crc32.npy'), sums)

    def add(self, number: int, array: np.ndarray) -> None:
        """Writes the array of a clip."""
        content = array.tobytes()
        self.file.write(content)
        self.shapes[number] = array.shape
        if self.sums is not None:
            self.sums[number] = zlib.crc32(content, dtype_sum(array.dtype))


def dtype_sum(dtype: np.dtype) -> int:
    """What the checksum of an array begins with, so that it is of the array's type, too."""
    return zlib.crc32(dtype.str.encode())


class FlatArrayWriter:
    """Writes the arrays of clips into an empty folder, one clip at a time.

    With ``mixed``, arrays of one entry may differ in type or number of axes; they go into files of
    their own, ``keypoint@1.npy``, …. Arrays with fewer axes than ``least_axes`` are left out. With
    ``sums`` there is ``keypoint.crc32``, too: the checksum of each clip's array, begun with
    :func:`dtype_sum`.
    """

    def __init__(
        self, folder: Path, mixed: bool = False, least_axes: int = 1, sums: bool = False
    ) -> None:
        self._folder, self._mixed, self._least_axes = folder, mixed, least_axes
        self._sums = sums
        self._columns: dict[str, list[_Column]] = {}
        self._count = 0

    def add(self, clip: dict) -> dict:
        """Writes a clip's arrays of numbers, and gives back its other entries; a ValueError if an
        array differs from those before it, and must not."""
        rest = {}
        for key, value in clip.items():
            is_array = isinstance(value, np.ndarray) and value.dtype.kind in 'biufc'
            is_array = is_array and value.ndim >= self._least_axes
            if is_array and key.isidentifier() and key not in _RESERVED:
                self._column(key, value).add(self._count, value)
            else:
                rest[key] = value
        self._count += 1
        return rest

    def _column(self, key: str, value: np.ndarray) -> _Column:
        columns = self._columns.setdefault(key, [])
        for column in columns:
            if (column.dtype, column.axes) == (value.dtype, value.ndim):
                return column
        if columns and not self._mixed:
            before = f'{columns[0].dtype} with {columns[0].axes} axes'
            raise ValueError(
                f'clip number {self._count}: {key} is {value.dtype} with {value.ndim} axes, and '
                f'that of a clip before it {before}; in an .npz they have to be alike.'
            )
        name = f'{key}@{len(columns)}' if columns else key
        columns.append(_Column(self._folder / f'{name}.npy', value, self._sums))
        return columns[-1]

    def close(self) -> None:
        """Finishes the files."""
        for columns in self._columns.values():
            for column in columns:
                column.close(self._count)


def check_flat_arrays(
    name: str, values: np.ndarray, offsets: np.ndarray, shapes: np.ndarray, count: int
) -> None:
    """Raises a ValueError unless the arrays of ``count`` clips lie where offsets and shapes say."""
    fits = values.ndim == 1 and offsets.shape == (count + 1,) and shapes.shape[:-1] == (count,)
    fits = fits and values.dtype.kind in 'biufc' and offsets.dtype.kind == shapes.dtype.kind == 'i'
    if fits:
        absent = (shapes == -1).all(1)
        sizes = np.where(absent, 0, shapes.prod(1, dtype=float))
        fits = (absent | (shapes >= 0).all(1)).all() and (np.diff(offsets) == sizes).all()
        fits = fits and offsets[0] == 0 and offsets[-1] == len(values) and offsets.min() == 0
    if not fits:
        raise ValueError(
            f'{name!r}: its {values.size} values, {len(offsets)} offsets and {len(shapes)} shapes '
            f'do not fit {count} clips'
        )


def to_json(value: Any, where: str, exact: bool) -> Any:
    """A value in JSON's types.

    Args:
        value (Any): Text, numbers, and lists, tuples and dicts of them.
        where (str): What it is, for messages.
        exact (bool): Whether :func:`from_json` gives back the same types, which JSON lacks; else
            numpy's numbers become Python's, and tuples lists.

    Raises:
        ValueError: If it is something else.
    """
    if exact and isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in 'biufU':
        shape = value.shape if isinstance(value, np.ndarray) else None
        return {'$numpy': [value.dtype.str, shape, value.tolist()]}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [to_json(item, f'{where}[{n}]', exact) for n, item in enumerate(value)]
        return {'$tuple': items} if exact and isinstance(value, tuple) else items
    if isinstance(value, dict):
        is_plain = all(isinstance(key, str) and not key.startswith('$') for key in value)
        items = [(key, to_json(item, f'{where}[{key!r}]', exact)) for key, item in value.items()]
        if exact and not is_plain:
            return {'$dict': [(to_json(key, where, exact), item) for key, item in items]}
        if all(isinstance(key, str) for key in value):
            return dict(items)
        value = next(key for key in value if not isinstance(key, str))
        where = f'{where}: the key {value!r}'
    raise ValueError(
        f'{where} is a {type(value).__name__}, which cannot be kept without pickle. Make it a '
        'number, a text or a list of them' + ('.' if exact else ', or write a .pkl.')
    )


def from_json(text: str | bytes) -> Any:
    """The value of which :func:`to_json` made the text, ``exact``."""
    left = [most_bytes(len(text))]
    return json.loads(text, object_hook=partial(_restore, left))


def _restore(left: list[int], value: dict) -> Any:
    if '$tuple' in value:
        return tuple(value['$tuple'])
    if '$dict' in value:
        return dict(value['$dict'])
    if '$numpy' in value:
        name, shape, items = value['$numpy']
        dtype = np.dtype(str(name))
        if dtype.kind not in 'biufU' or dtype.itemsize > _LONGEST:
            raise ValueError(f'it holds a numpy dtype {dtype}')
        left[0] -= dtype.itemsize * np.array(items, object).size
        if left[0] < 0:
            raise ValueError('its arrays take many times its own size')
        array = np.array(items, dtype)
        return array[()] if shape is None else array.reshape(shape)
    return value


def write_annotation_npz(
    path: Path, annotations: Iterable[dict], splits: dict | None, extra: dict[str, Any]
) -> None:
    """Writes what :func:`.save_annotations` is given; ``extra`` is read last.

    While the file is made, as much again is taken up in its folder. Arrays of
    numbers keep their type; a tuple becomes a list.

    Raises:
        ValueError: If a clip holds what JSON does not, or arrays of one entry
            differ in type or number of axes.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        folder = Path(name)
        writer = FlatArrayWriter(folder)
        clips = [
            to_json(writer.add(clip), f'clip {clip.get("frame_dir", number)!r}', exact=False)
            for number, clip in enumerate(annotations)
        ]
        writer.close()
        about = dict(
            split=to_json(splits, 'split', exact=False),
            annotations=clips,
            extra=to_json(extra, 'extra', exact=False),
        )
        np.save(folder / 'format.npy', np.array(NPZ_FORMAT))
        np.save(folder / 'about.npy', np.frombuffer(json.dumps(about).encode(), np.uint8))
        with zipfile.ZipFile(path, 'w') as archive:
            for file in sorted(folder.iterdir()):
                entry = zipfile.ZipInfo.from_file(file, file.name)
                entry.date_time = (1980, 1, 1, 0, 0, 0)  # the same clips are the same file
                with open(file, 'rb') as source, archive.open(entry, 'w') as target:
                    shutil.copyfileobj(source, target, 1 << 20)


def read_annotation_npz(path: str | Path) -> tuple[list[dict], dict | None, dict]:
    """Reads an ``.npz`` of this module, compressed or not.

    Returns:
        tuple: Annotations, splits, and further entries of the file. The
        arrays are views of one array an entry.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is no such ``.npz``, or broken.
    """
    with reading(path, 'It may be cut off: get or make it again.'):
        arrays = load_npz(path)
        if str(arrays.pop('format')) != NPZ_FORMAT:
            raise ValueError(f'its format is not {NPZ_FORMAT!r}, which this version reads')
        about = json.loads(arrays.pop('about').tobytes().decode())
        clips = about['annotations']
        if not isinstance(clips, list) or not all(isinstance(clip, dict) for clip in clips):
            raise ValueError('its annotations are no list of dicts')
        if not isinstance(about['extra'], dict):
            raise ValueError('its further entries are no dict')
        for key in [key for key in arrays if '.' not in key]:
            values, offsets, shapes = (arrays[key + end] for end in ('', '.offset', '.shape'))
            check_flat_arrays(key, values, offsets, shapes, len(clips))
            for clip, start, end, shape in zip(clips, offsets, offsets[1:], shapes.tolist()):
                if shape[0] != -1:
                    clip[key] = values[start:end].reshape(shape)
        return clips, about['split'], about['extra']
