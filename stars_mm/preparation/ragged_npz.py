"""The annotation file as an ``.npz``, which needs no pickle.

It holds these arrays:

- ``format``: ``'stars_mm annotations 1'``
- ``about``: UTF-8 bytes of JSON, ``{"split": {name: [frame_dir, ...]},
  "annotations": [{"frame_dir": ..., "label": ..., "total_frames": ...}, ...],
  "extra": {...}}``: all of N clips but their arrays
- ``keypoint``: the coordinates of all clips, one after another, as they are
  (float16 or float32)
- ``keypoint.offset`` (N + 1,): clip i is ``keypoint[offset[i]:offset[i+1]]``
- ``keypoint.shape`` (N, 4): of the shape (M, T, V, C); -1 throughout where a
  clip has no such entry

and likewise three for every other entry that is an array of numbers, such as
``keypoint_score``. Without this package a clip is read so::

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
from typing import IO, Any

import numpy as np

from stars_mm.preparation.clip_store import ArrayWriter, Column, is_numbers

FORMAT = 'stars_mm annotations 1'
_RESERVED = ('format', 'about')
_PARTS = ('', '.offset', '.shape')


def is_ragged_npz(path: str | Path) -> bool:
    """Whether a file is an ``.npz`` of this module, by its list of arrays."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {'format.npy', 'about.npy'} <= set(archive.namelist())


def write_ragged_npz(
    path: str | Path, annotations: Iterable[dict], splits: dict | None, extra: dict[str, Any]
) -> None:
    """Writes the annotations; one of them at a time is held in memory.

    Args:
        path (str or Path): The file to write. While it is made, as much again
            is taken up in its folder.
        annotations (Iterable[dict]): The clips. Arrays of numbers keep their
            type; a tuple becomes a list.
        splits (dict, optional): The names of each split's clips.
        extra (dict): Further entries of the file, read last.

    Raises:
        ValueError: If a clip holds what JSON does not, or arrays of one entry
            differ in type or number of axes.
    """
    with tempfile.TemporaryFile(dir=Path(path).parent) as spool:
        writer = ArrayWriter(spool, lambda key, value: is_numbers(value, 1))
        clips = []
        for number, clip in enumerate(annotations):
            name = clip.get('frame_dir', clip.get('filename', number))
            clips.append(_plain(writer.add(clip), f'clip {name!r}'))
        columns = writer.columns()
        _check_columns(columns, clips)
        about = json.dumps(
            dict(split=_plain(splits, 'split'), annotations=clips, extra=_plain(extra, 'extra'))
        )
        with zipfile.ZipFile(path, 'w', allowZip64=True) as archive:
            _write_array(archive, 'format', np.array(FORMAT))
            _write_array(archive, 'about', np.frombuffer(about.encode(), np.uint8))
            for column in columns:
                _write_column(archive, column, spool)


def _plain(value: Any, where: str) -> Any:
    """A value in JSON's types; numpy's numbers become Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, f'{where}[{n}]') for n, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(
                    f'{where}: the key {key!r} is no text, and an .npz keeps '
                    'dicts as JSON. Name it otherwise, or write a .pkl.'
                )
        return {key: _plain(item, f'{where}[{key!r}]') for key, item in value.items()}
    raise ValueError(
        f'{where} is a {type(value).__name__}, which an .npz cannot keep. '
        'Make it a number, a text or a list of them, or write a .pkl.'
    )


def _check_columns(columns: list[Column], clips: list[dict]) -> None:
    seen: dict[str, Column] = {}
    for column in columns:
        if column.key in _RESERVED or '.' in column.key or '/' in column.key:
            raise ValueError(
                f'{column.key!r} cannot be the name of an array '
                'in an .npz. Name it otherwise, or write a .pkl.'
            )
        first = seen.setdefault(column.key, column)
        if first is not column:
            number = int(np.flatnonzero(column.offsets >= 0)[0])
            raise ValueError(
                f'clip {clips[number].get("frame_dir", number)!r}: '
                f'{column.key} is {_describe(column)}, and that of a clip '
                f'before it {_describe(first)}; in an .npz they have to be '
                'alike. Convert them, or write a .pkl.'
            )


def _describe(column: Column) -> str:
    return f'{np.dtype(column.dtype)} with {column.shapes.shape[1]} axes'


def _write_column(archive: zipfile.ZipFile, column: Column, spool: IO[bytes]) -> None:
    dtype = np.dtype(column.dtype)
    there = column.offsets >= 0
    sizes = np.where(there, column.shapes.prod(1), 0)
    with archive.open(f'{column.key}.npy', 'w', force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(
            member, dict(descr=dtype.str, fortran_order=False, shape=(int(sizes.sum()),))
        )
        for offset, size in zip(column.offsets[there].tolist(), sizes[there].tolist()):
            spool.seek(offset)
            member.write(spool.read(size * dtype.itemsize))
    _write_array(archive, f'{column.key}.offset', np.concatenate([[0], sizes.cumsum()]))
    _write_array(archive, f'{column.key}.shape', np.where(there[:, None], column.shapes, -1))


def _write_array(archive: zipfile.ZipFile, key: str, array: np.ndarray) -> None:
    with archive.open(f'{key}.npy', 'w', force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def read_ragged_npz(path: str | Path) -> tuple[list[dict], dict | None, dict]:
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
            return _read(file)
    except FileNotFoundError:
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        OSError,
        EOFError,
        zlib.error,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ValueError(
            f'{path}: is no readable annotation file ({error}). It may be cut '
            'off: get or make it again.'
        ) from error


def _read(file: np.lib.npyio.NpzFile) -> tuple[list, dict | None, dict]:
    if not set(_RESERVED) <= set(file.files):
        raise ValueError(
            f"'format' and 'about' are needed, and it has {', '.join(file.files) or 'nothing'}"
        )
    if str(file['format']) != FORMAT:
        raise ValueError(f'its format is {str(file["format"])!r}; this version reads {FORMAT!r}')
    about = json.loads(file['about'].tobytes().decode())
    clips = about['annotations']
    for key in file.files:
        if key in _RESERVED or '.' in key:
            continue
        values, offsets, shapes = (file[f'{key}{part}'] for part in _PARTS)
        if len(offsets) != len(clips) + 1 or len(shapes) != len(clips):
            raise ValueError(
                f'{key!r} has {len(shapes)} shapes and {len(offsets)} '
                f'offsets for {len(clips)} clips'
            )
        for clip, start, end, shape in zip(clips, offsets, offsets[1:], shapes.tolist()):
            if shape[0] != -1:
                clip[key] = values[start:end].reshape(shape)
    return clips, about['split'], about['extra']
