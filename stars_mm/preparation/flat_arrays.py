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
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

NPZ_FORMAT = 'stars_mm annotations 1'
_RESERVED = ('format', 'about')
#: What numpy raises on files that are cut off or changed.
BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)


def clip_name(clip: dict, number: int) -> Any:
    """What to call a clip in a message."""
    return clip.get('frame_dir', clip.get('filename', number))


class _Column:
    """The arrays of one entry that have one type and one number of axes, being written."""

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self.path, self.dtype, self.axes = path, like.dtype, like.ndim
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._file = open(path, 'wb')
        self._header_end = self._write_header(0)

    def _write_header(self, size: int) -> int:
        """numpy pads every header of one axis to the same length."""
        about = dict(descr=self.dtype.str, fortran_order=False, shape=(size,))
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, about)
        return self._file.tell()

    def add(self, number: int, value: np.ndarray) -> None:
        self._file.write(value.tobytes())
        self._shapes[number] = value.shape

    def close(self, count: int) -> None:
        shapes = np.full((count, self.axes), -1, np.int64)
        shapes[list(self._shapes)] = list(self._shapes.values())
        sizes = np.where(shapes[:, 0] < 0, 0, shapes.prod(1))
        if self._write_header(int(sizes.sum())) != self._header_end:
            raise RuntimeError(f'{self.path}: numpy made headers of different lengths.')
        self._file.close()
        np.save(self.path.with_suffix('.offset.npy'), np.concatenate([[0], sizes.cumsum()]))
        np.save(self.path.with_suffix('.shape.npy'), shapes)


class FlatArrayWriter:
    """Writes the arrays of clips into a folder, one clip at a time.

    Arrays of one entry that differ in type or number of axes from the first one go into files of
    their own, ``keypoint@1.npy``, ….

    Args:
        folder (Path): An empty folder.
        mixed (bool): Whether arrays of one entry may differ so.
        least_axes (int): Arrays with fewer axes are left to the caller.
    """

    def __init__(self, folder: Path, mixed: bool = False, least_axes: int = 1) -> None:
        self._folder = folder
        self._mixed = mixed
        self._least_axes = least_axes
        self._columns: dict[str, list[_Column]] = {}
        self._count = 0

    def add(self, clip: dict) -> dict:
        """Writes a clip's arrays of numbers.

        Args:
            clip (dict): The annotation.

        Returns:
            dict: Its other entries.

        Raises:
            ValueError: If an array differs from those before it, and must not.
        """
        rest = {}
        for key, value in clip.items():
            if (
                isinstance(value, np.ndarray)
                and value.dtype.kind in 'biufc'
                and value.ndim >= self._least_axes
                and key.isidentifier()
                and key not in _RESERVED
            ):
                self._column(key, value, clip).add(self._count, value)
            else:
                rest[key] = value
        self._count += 1
        return rest

    def _column(self, key: str, value: np.ndarray, clip: dict) -> _Column:
        columns = self._columns.setdefault(key, [])
        for column in columns:
            if (column.dtype, column.axes) == (value.dtype, value.ndim):
                return column
        if columns and not self._mixed:
            first = columns[0]
            raise ValueError(
                f'clip {clip_name(clip, self._count)!r}: {key} is {value.dtype} with {value.ndim} '
                f'axes, and that of a clip before it {first.dtype} with {first.axes} axes; in an '
                '.npz they have to be alike. Convert them, or write a .pkl.'
            )
        name = f'{key}@{len(columns)}' if columns else key
        columns.append(_Column(self._folder / f'{name}.npy', value))
        return columns[-1]

    def close(self) -> None:
        """Finishes the files."""
        for columns in self._columns.values():
            for column in columns:
                column.close(self._count)


def check_flat_arrays(
    name: str, values: np.ndarray, offsets: np.ndarray, shapes: np.ndarray, count: int
) -> None:
    """Checks that every clip's array lies where its offsets and its shape say.

    Args:
        name (str): The entry, for messages.
        values (np.ndarray): The values of all clips, one axis.
        offsets (np.ndarray): (N + 1,).
        shapes (np.ndarray): (N, axes).
        count (int): Number of clips N.

    Raises:
        ValueError: If they do not fit together.
    """
    fits = (
        values.ndim == 1
        and values.dtype.kind in 'biufc'
        and offsets.dtype.kind == shapes.dtype.kind == 'i'
        and offsets.shape == (count + 1,)
        and shapes.ndim == 2
        and len(shapes) == count
    )
    if fits:
        absent = (shapes == -1).all(1)
        sizes = np.where(absent, 0, shapes.prod(1, dtype=float))
        fits = (
            (absent | (shapes >= 0).all(1)).all()
            and offsets[0] == 0
            and offsets[-1] == len(values)
            and (np.diff(offsets) == sizes).all()
        )
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
        return {'$numpy': [value.dtype.str, value.shape, value.tolist()]}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [to_json(item, f'{where}[{n}]', exact) for n, item in enumerate(value)]
        return {'$tuple': items} if exact and isinstance(value, tuple) else items
    if isinstance(value, dict):
        odd = [key for key in value if not isinstance(key, str) or exact and key.startswith('$')]
        if odd and not exact:
            raise ValueError(
                f'{where}: the key {odd[0]!r} is no text, and an .npz keeps dicts as JSON. '
                'Name it otherwise, or write a .pkl.'
            )
        items = {key: to_json(item, f'{where}[{key!r}]', exact) for key, item in value.items()}
        return (
            {'$dict': [[to_json(key, where, exact), items[key]] for key in items]} if odd else items
        )
    raise ValueError(
        f'{where} is a {type(value).__name__}, which cannot be kept without pickle. Make it a '
        'number, a text or a list of them' + ('.' if exact else ', or write a .pkl.')
    )


def from_json(text: str | bytes) -> Any:
    """The value of which :func:`to_json` made the text, ``exact``."""
    return json.loads(text, object_hook=_restore)


def _restore(value: dict) -> Any:
    if len(value) == 1:
        if '$tuple' in value:
            return tuple(value['$tuple'])
        if '$dict' in value:
            return dict(value['$dict'])
        if '$numpy' in value:
            dtype, shape, items = value['$numpy']
            return np.array(items, dtype).reshape(shape)[()]
    return value


def is_annotation_npz(path: str | Path) -> bool:
    """Whether a file is an ``.npz`` of this module, by its list of arrays."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {f'{name}.npy' for name in _RESERVED} <= set(archive.namelist())


def write_annotation_npz(
    path: Path, annotations: Iterable[dict], splits: dict | None, extra: dict[str, Any]
) -> None:
    """Writes the annotations; one of them at a time is held in memory.

    Args:
        path (Path): The file to write. While it is made, as much again is taken up in its folder.
        annotations (Iterable[dict]): The clips. Arrays of numbers keep their
            type; a tuple becomes a list.
        splits (dict, optional): The names of each split's clips.
        extra (dict): Further entries of the file, read last.

    Raises:
        ValueError: If a clip holds what JSON does not, or arrays of one entry
            differ in type or number of axes.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        folder = Path(name)
        writer = FlatArrayWriter(folder)
        clips = [
            to_json(writer.add(clip), f'clip {clip_name(clip, number)!r}', exact=False)
            for number, clip in enumerate(annotations)
        ]
        writer.close()
        files = sorted(path.name for path in folder.iterdir())
        about = dict(
            split=to_json(splits, 'split', exact=False),
            annotations=clips,
            extra=to_json(extra, 'extra', exact=False),
        )
        np.save(folder / 'format.npy', np.array(NPZ_FORMAT))
        np.save(folder / 'about.npy', np.frombuffer(json.dumps(about).encode(), np.uint8))
        with zipfile.ZipFile(path, 'w') as archive:
            for file in ['format.npy', 'about.npy', *files]:
                archive.write(folder / file, file)


def read_annotation_npz(path: str | Path) -> tuple[list[dict], dict | None, dict]:
    """Reads an ``.npz`` of this module, compressed or not.

    Args:
        path (str or Path): The file.

    Returns:
        tuple: Annotations, splits, and further entries of the file. The
        arrays are views of one array an entry.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such ``.npz``, or broken.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError('it is a single array')
            return _read_npz(file)
    except FileNotFoundError:
        raise
    except BROKEN as error:
        raise ValueError(
            f'{path}: is no readable annotation file ({error}). It may be cut '
            'off: get or make it again.'
        ) from error


def _read_npz(file: np.lib.npyio.NpzFile) -> tuple[list, dict | None, dict]:
    if str(file['format']) != NPZ_FORMAT:
        raise ValueError(
            f'its format is {str(file["format"])!r}; this version reads {NPZ_FORMAT!r}'
        )
    about = json.loads(file['about'].tobytes().decode())
    clips = about['annotations']
    for key in file.files:
        if key in _RESERVED or '.' in key:
            continue
        values, offsets, shapes = (file[f'{key}{part}'] for part in ('', '.offset', '.shape'))
        check_flat_arrays(key, values, offsets, shapes, len(clips))
        for clip, start, end, shape in zip(clips, offsets, offsets[1:], shapes.tolist()):
            if shape[0] != -1:
                clip[key] = values[start:end].reshape(shape)
    return clips, about['split'], about['extra']
