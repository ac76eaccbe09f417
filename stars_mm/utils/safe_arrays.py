"""Reads ``.npy`` and ``.npz`` files of numbers and text, of which nothing is unpickled and which
are no larger than they say."""

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from stars_mm.utils.input_error import shown
from stars_mm.utils.limits import check_zip, step_of

#: Booleans, numbers, bytes and text.
_KINDS = 'biufcSU'
_CHUNK = 1 << 20


def check_shape(shape: Sequence[int], dtype: np.dtype, size: int) -> None:
    """Raise a ValueError unless an array of a shape and a plain dtype has ``size`` bytes."""
    if dtype.kind not in _KINDS:
        raise ValueError(f'an array is of dtype {dtype}, no numbers and no text')
    is_shape = len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)
    if is_shape and (0 in shape or not dtype.itemsize):
        # who goes through it goes through the axes before; numpy gives a text of nothing a byte
        is_shape = math.prod(shape[: [*shape, 0].index(0)]) < _CHUNK
    if not is_shape:
        raise ValueError(f'an array has the shape {shown(shape)}')
    if math.prod(shape) * dtype.itemsize != size:
        needed = f'{math.prod(shape) * dtype.itemsize} bytes of {dtype}'
        raise ValueError(f'an array has {size} bytes; {needed} are {shape}')


def check_text(array: np.ndarray) -> np.ndarray:
    """Gives back an array; a ValueError where it is of text and holds what is no character."""
    if array.dtype.kind == 'U' and array.nbytes:
        codes = np.frombuffer(array.tobytes(), np.dtype('u4').newbyteorder(array.dtype.byteorder))
        if codes.max() > 0x10FFFF:
            raise ValueError('an array of text holds what is no character')
    return array


def read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and dtype of a ``.npy``; what follows are its bytes."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f'is a .npy of version {version}')
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def read_npy(stream: IO[bytes], size: int, step: int = _CHUNK) -> np.ndarray:
    """The array of a ``.npy`` of ``size`` bytes, ``step`` of which are read at a time.

    Raises:
        ValueError: If it is none of numbers or text, or says another size.
    """
    shape, is_fortran, dtype = read_header(stream)
    check_shape(shape, dtype, size - stream.tell())
    content = np.empty(size - stream.tell(), np.uint8)
    for start in range(0, len(content), step):
        part = content[start : start + step]
        part[:] = np.frombuffer(stream.read(len(part)), np.uint8)
    if not dtype.itemsize or not len(content):
        return np.zeros(shape, dtype)
    array = content.view(dtype).reshape(shape, order='F' if is_fortran else 'C')
    return check_text(array)


def load_npy(content: bytes) -> np.ndarray:
    """The array that the content of a ``.npy`` is, see :func:`read_npy`."""
    return read_npy(io.BytesIO(content), len(content))


def load_npz(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` by name.

    Raises:
        ValueError, zipfile.BadZipFile, …: What broken files raise: to be called within
            :func:`~stars_mm.utils.input_error.reading`.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        check_zip(archive, Path(path).stat().st_size)
        for member in archive.infolist():
            if not member.filename.endswith('.npy'):
                raise ValueError(f'its member {member.filename!r} is no .npy')
            name = member.filename.removesuffix('.npy')
            with archive.open(member) as stream:
                try:
                    arrays[name] = read_npy(stream, member.file_size, step_of(member))
                except Exception as error:  # broken bytes fail in many ways
                    raise ValueError(f'{name!r}: {error}') from error
    return arrays
