"""Ragged clips in one file that is mapped into memory.

The file begins with a header of fixed size, then come the bytes of all arrays,
each at a multiple of 64, then two pickles: ``columns``, where each array lies,
and ``about``, what else is known of the clips. Nothing of the arrays is read
before it is used, and all processes of a machine share what has been read.
"""

import mmap
import os
import pickle
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from stars_mm.utils.safe_pickle import read_pickle

#: Changes with the layout of the file and what is checked when it is made,
#: so that older maps are made anew.
_MAGIC = b'stars_mm clips 1'
_HEADER = struct.Struct('<16s32s3q3Q')
_STAMP_AT = struct.calcsize('<16s32s')
_ALIGNMENT = 64
#: Entries by which ``PoseDataset`` selects clips.
_LOOKED_AT = ('label', 'box_score')
#: After so many bytes a process lets go of the pages that it has read. The
#: kernel maps 64 KiB around each page that is touched.
_HELD_BYTES = 8 << 20
_AROUND = 64 << 10


class Stamp(NamedTuple):
    """What the file system says of a file."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: str | Path) -> 'Stamp':
        """Reads the stamp of a file."""
        status = os.stat(path)
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Source(NamedTuple):
    """The file that clips were taken from, as it was then."""

    sha256: bytes
    stamp: Stamp


class Column(NamedTuple):
    """The places of one entry's arrays.

    Attributes:
        key (str): The entry.
        dtype (str or np.dtype): Type of the values, such as '<f2'.
        offsets (np.ndarray): (N,) bytes from the start of the file, -1 for a clip without.
        shapes (np.ndarray): (N, axes).
    """

    key: str
    dtype: str | np.dtype
    offsets: np.ndarray
    shapes: np.ndarray


def is_numbers(value: Any, least_axes: int) -> bool:
    """Whether a value is an array of numbers with so many axes or more."""
    return (
        isinstance(value, np.ndarray) and value.dtype.kind in 'biufc' and value.ndim >= least_axes
    )


def _is_mapped(key: str, value: Any) -> bool:
    return is_numbers(value, 2) and key not in _LOOKED_AT


class ArrayWriter:
    """Writes arrays of clips one after another, and notes where they are.

    Args:
        file (IO[bytes]): The file, open for writing.
        wanted (callable): Says of an entry's key and value whether it is an array to be written.
    """

    def __init__(self, file: IO[bytes], wanted: Callable[[str, Any], bool]) -> None:
        self._file = file
        self._wanted = wanted
        self._places: dict[tuple, list[tuple[int, int, tuple]]] = {}
        self._count = 0

    def add(self, clip: dict) -> dict:
        """Writes a clip's arrays.

        Args:
            clip (dict): The annotation.

        Returns:
            dict: Its other entries.
        """
        rest = {}
        for key, value in clip.items():
            if not self._wanted(key, value):
                rest[key] = value
                continue
            self._file.write(bytes(-self._file.tell() % _ALIGNMENT))
            kind = (key, value.dtype.str, value.ndim)
            self._places.setdefault(kind, []).append((self._count, self._file.tell(), value.shape))
            self._file.write(value.tobytes())
        self._count += 1
        return rest

    def columns(self) -> list[Column]:
        """Where all arrays are; those of one entry that differ in type or
        number of axes have a column each."""
        columns = []
        for (key, dtype, axes), places in self._places.items():
            column = Column(
                key,
                dtype,
                np.full(self._count, -1, np.int64),
                np.zeros((self._count, axes), np.int64),
            )
            numbers, offsets, shapes = map(list, zip(*places))
            column.offsets[numbers] = offsets
            column.shapes[numbers] = shapes
            columns.append(column)
        return columns


def write_clip_store(path: str | Path, clips: Iterable[dict], source: Source, about: dict) -> None:
    """Writes the file that :class:`ClipStore` opens.

    Args:
        path (str or Path): The file.
        clips (Iterable[dict]): Annotations. Arrays of numbers with two axes
            and more are mapped; ``label`` and ``box_score`` never are.
        source (Source): The file that the clips are of.
        about (dict): Further plain data to keep.
    """
    with open(path, 'wb') as file:
        file.write(bytes(_HEADER.size))
        writer = ArrayWriter(file, _is_mapped)
        rest = [writer.add(clip) for clip in clips]
        columns_at = file.tell()
        columns = [tuple(column) for column in writer.columns()]
        pickle.dump((len(rest), columns), file, protocol=4)
        about_at = file.tell()
        pickle.dump(dict(about, clips=rest), file, protocol=4)
        size = file.tell()
        file.seek(0)
        file.write(_HEADER.pack(_MAGIC, source.sha256, *source.stamp, columns_at, about_at, size))


class ClipStore:
    """The arrays of clips, in a file that is mapped into memory.

    A copy shares the map, and a process that is handed a store opens the file itself.

    Args:
        path (str or Path): A file of :func:`write_clip_store`.

    Attributes:
        path (str): The file.
        source (Source): The file that the clips are of.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another one, or cut off.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        with open(path, 'rb') as file:
            header = file.read(_HEADER.size)
            if not header.startswith(_MAGIC) or len(header) < _HEADER.size:
                raise ValueError(f'{path}: is no map of clips.')
            (_, sha256, *stamp, columns_at, self._about_at, size) = _HEADER.unpack(header)
            if os.fstat(file.fileno()).st_size != size:
                raise ValueError(f'{path}: is cut off.')
            file.seek(columns_at)
            self._count, columns = read_pickle(file, self.path)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.source = Source(sha256, Stamp(*stamp))
        self._columns = [
            Column(key, np.dtype(dtype), offsets, shapes) for key, dtype, offsets, shapes in columns
        ]
        self._touched = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of a clip by key: read-only views of the map."""
        views = {}
        for key, dtype, offsets, shapes in self._columns:
            offset = offsets[number]
            if offset >= 0:
                views[key] = np.ndarray(shapes[number].tolist(), dtype, self._map, offset)
        return views

    def read(self, number: int) -> dict[str, np.ndarray]:
        """Copies of the arrays of a clip by key.

        Now and then the pages that were read are let go of, so a process
        stays small however many clips it reads; the system may keep them.
        """
        arrays = {key: view.copy() for key, view in self[number].items()}
        self._touched += sum(array.nbytes + _AROUND for array in arrays.values())
        if self._touched > _HELD_BYTES:
            self.let_go()
        return arrays

    def let_go(self) -> None:
        """Takes the pages read so far out of this process's memory. Views
        stay as they are: what is used is read again."""
        self._touched = 0
        if hasattr(mmap, 'MADV_DONTNEED'):
            self._map.madvise(mmap.MADV_DONTNEED)

    @property
    def lengths(self) -> np.ndarray:
        """np.ndarray: (N,) frames T of each ``keypoint`` (M, T, V, C), 0 for a clip without."""
        lengths = np.zeros(len(self), np.int64)
        for key, _, offsets, shapes in self._columns:
            if key == 'keypoint' and shapes.shape[1] == 4:
                lengths = np.where(offsets >= 0, shapes[:, 1], lengths)
        return lengths

    def read_about(self) -> dict:
        """What was stored beside the arrays; ``clips`` holds the other entries
        of each clip. Read from the file each time."""
        with open(self.path, 'rb') as file:
            file.seek(self._about_at)
            return read_pickle(file, self.path)

    def restamp(self, stamp: Stamp) -> None:
        """Notes that the source, whose content is the same, has another stamp now.

        Raises:
            OSError: If the file may not be written.
        """
        with open(self.path, 'r+b') as file:
            file.seek(_STAMP_AT)
            file.write(struct.pack('<3q', *stamp))
        self.source = self.source._replace(stamp=stamp)

    def __deepcopy__(self, memo: dict) -> 'ClipStore':
        return self

    def __reduce__(self) -> tuple:
        return _reopen, (self.path, self.source.sha256)


def _reopen(path: str, sha256: bytes) -> ClipStore:
    store = ClipStore(path)
    if store.source.sha256 != sha256:
        raise ValueError(
            f'{path}: was made anew while in use, because the annotation file changed. Start again.'
        )
    return store
