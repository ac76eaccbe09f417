"""Reads what ``torch.save`` writes, from torch 1.6 on a zip file and before that pickles in a row,
without torch's own reader: see ``checkpoint_pickle.py``."""

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch
from torch import Tensor

from stars_mm.utils.checkpoint_pickle import CheckpointUnpickler, Storage

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def read_torch_file(path: Path, device: torch.device) -> Any:
    """What a file holds, its tensors on a device.

    Raises:
        UnpicklingError: If it holds more than weights and plain values, or asks for more memory
            than its size explains; other errors where it is broken.
    """
    size = path.stat().st_size
    with open(path, 'rb') as file:
        is_zip = file.read(4) == b'PK\x03\x04'
        file.seek(0)
        if not is_zip:
            return _Pickles(file, size, device).read()
        with zipfile.ZipFile(file) as archive:
            return _Zip(archive, size, device).read()


def read_storage(raw: bytes) -> Storage:
    """What ``pickle`` makes of a tensor's values: ``torch.save`` of them alone, on the CPU."""
    file = _Pickles(io.BytesIO(raw), len(raw), torch.device('cpu'))
    return file.read(CheckpointUnpickler.load)


class _Zip:
    """A zip file with ``data.pkl``, and ``data/0`` and so on for the storages."""

    def __init__(self, archive: zipfile.ZipFile, size: int, device: torch.device) -> None:
        entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > size or any(e.compress_type != zipfile.ZIP_STORED for e in entries):
            raise UnpicklingError(f'it unpacks to {unpacked} bytes, and torch compresses nothing')
        self._archive, self._size, self._device = archive, size, device
        self._storages: dict[str, Tensor] = {}

    def read(self) -> Any:
        names = self._archive.namelist()
        pickles = [name for name in names if name.endswith('/data.pkl') and name.count('/') == 1]
        if len(pickles) != 1:
            raise UnpicklingError('it is a zip file, but none of torch.save')
        self._folder = pickles[0].removesuffix('data.pkl')
        order = f'{self._folder}byteorder'
        if order in names and self._archive.read(order).decode() != sys.byteorder:
            raise UnpicklingError('it is from a machine with another order of bytes')
        content = io.BytesIO(self._archive.read(pickles[0]))
        return CheckpointUnpickler(content, self._size, self._find).make()

    def _find(self, pid: tuple, dtype: torch.dtype) -> Storage:
        _, _, key, _, count = pid
        if key not in self._storages:
            entry = self._archive.getinfo(f'{self._folder}data/{key}')
            self._storages[key] = _empty(entry.file_size, self._device)
            with self._archive.open(entry) as file:  # checks the sum
                _read_into(self._storages[key], file)
        return _storage(self._storages[key], count, dtype)


class _Pickles:
    """Pickles in a row, one with the content, one with the storages' names; then their bytes."""

    def __init__(self, file: IO[bytes], size: int, device: torch.device) -> None:
        self._file, self._size, self._device, self._left = file, size, device, size
        self._storages: dict[str, Tensor] = {}

    def read(self, make: Callable = CheckpointUnpickler.make) -> Any:
        magic, protocol, system = (self._load(make) for _ in range(3))
        if (magic, protocol) != (_MAGIC, _PROTOCOL):
            raise UnpicklingError('it is no file of torch.save')
        if not system['little_endian']:
            raise UnpicklingError('it is from a machine with another order of bytes')
        content = self._load(make)
        for key in (keys := self._load(CheckpointUnpickler.make)):
            length, raw = int.from_bytes(self._file.read(8), 'little'), self._storages[key]
            if raw.numel() and (not length or raw.numel() % length):
                raise UnpicklingError(f'its storage {key} is said to have {length} values')
            _read_into(raw, self._file)
        if set(keys) != set(self._storages):
            raise UnpicklingError('it lacks storages')
        return content

    def _load(self, make: Callable) -> Any:
        return make(CheckpointUnpickler(self._file, self._size, self._find))

    def _find(self, pid: tuple, dtype: torch.dtype) -> Storage:
        _, _, key, _, count, *view = pid
        if view != [None]:
            raise UnpicklingError('its storages are parts of others')
        if key not in self._storages:
            _check_count(count, dtype, self._left)
            self._storages[key] = _empty(count * dtype.itemsize, self._device)
            self._left -= count * dtype.itemsize
        return _storage(self._storages[key], count, dtype)


def _storage(raw: Tensor, count: Any, dtype: torch.dtype) -> Storage:
    _check_count(count, dtype, raw.numel())
    return Storage(raw, dtype)


def _check_count(count: Any, dtype: torch.dtype, available: int) -> None:
    if type(count) is not int or not 0 <= count * dtype.itemsize <= available:
        raise UnpicklingError(f'a storage is said to have {count} values, of {available} bytes')


def _empty(size: int, device: torch.device) -> Tensor:
    return torch.empty(size, dtype=torch.uint8, device=device)


def _read_into(raw: Tensor, file: Any) -> None:
    values = raw.cpu()  # itself, where it is there
    if raw.numel() and file.readinto(values.numpy()) != raw.numel():
        raise EOFError('it is cut off')
    raw.copy_(values)
