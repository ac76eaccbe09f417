"""Finds and reads the ``.skeleton`` files of a folder or of zips."""

import functools
import os
import os.path as osp
import zipfile
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """A recording that has been found, and not been read.

    Args:
        name (str): Its name without folder and ending.
        path (str): The file, or its path within ``archive``.
        archive (str, optional): The zip that holds it.
        stamp (str): Size and age, or in a zip size and checksum: changes when the file does.
    """

    name: str
    path: str
    archive: str | None
    stamp: str

    @property
    def where(self) -> str:
        """The file, for messages."""
        return f'{self.archive}: {self.path}' if self.archive else self.path


_SUFFIX = '.skeleton'


def _is_recording(path: str) -> bool:
    # A zip made on a Mac holds a shadow '._name' of each file.
    return path.endswith(_SUFFIX) and not osp.basename(path).startswith('.')


def _in_folder(folder: str) -> list[Entry]:
    entries = []
    for root, _, names in os.walk(folder):
        for name in filter(_is_recording, names):
            path = osp.join(root, name)
            stat = os.stat(path)
            entries.append(
                Entry(name[: -len(_SUFFIX)], path, None, f'{stat.st_size} {stat.st_mtime_ns}')
            )
    return entries


def _in_zip(archive: str) -> list[Entry]:
    try:
        with zipfile.ZipFile(archive) as opened:
            infos = opened.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(
            f'{archive}: is no readable zip ({error}). It may be cut off: get it again.'
        ) from error
    return [
        Entry(
            osp.basename(info.filename)[: -len(_SUFFIX)],
            info.filename,
            archive,
            f'{info.file_size} {info.CRC}',
        )
        for info in infos
        if _is_recording(info.filename)
    ]


def find_recordings(src: str) -> list[Entry]:
    """Finds the recordings of a folder or a zip, also in folders within.

    A folder without ``.skeleton`` files may hold the data set's zips.

    Args:
        src (str): The folder or the zip.

    Returns:
        list[Entry]: Sorted by name.

    Raises:
        FileNotFoundError: If there is no such folder or zip.
        ValueError: If it has no recordings, or two of one name.
    """
    if osp.isdir(src):
        entries = _in_folder(src)
        if not entries:
            archives = sorted(map(str, Path(src).glob('*.zip')))
            entries = [e for archive in archives for e in _in_zip(archive)]
    elif osp.exists(src):
        entries = _in_zip(src)
    else:
        raise FileNotFoundError(
            f'{src}: there is no such folder or zip. Get the skeletons of NTU RGB+D first.'
        )
    if not entries:
        raise ValueError(
            f'{src}: holds no {_SUFFIX}. Give the folder or zip '
            f'with SsssCcccPpppRrrrAaaa{_SUFFIX} in it.'
        )
    entries.sort()
    for one, other in zip(entries, entries[1:]):
        if one.name == other.name:
            raise ValueError(
                f"'{one.where}' and '{other.where}' have one name. Remove one of them."
            )
    return entries


@functools.lru_cache(maxsize=4)
def _open_zip(archive: str, process: int) -> zipfile.ZipFile:
    # Opening lists all files, so it is done once. A forked process must not
    # read through its parent's handle, hence its id.
    return zipfile.ZipFile(archive)


def read_recording(entry: Entry) -> bytes:
    """Reads a recording's content.

    Raises:
        ValueError: If its zip does not give it.
        OSError: If the file cannot be read.
    """
    if entry.archive is None:
        return Path(entry.path).read_bytes()
    try:
        return _open_zip(entry.archive, os.getpid()).read(entry.path)
    except (
        zipfile.BadZipFile,
        zipfile.zlib.error,
        RuntimeError,
        NotImplementedError,
        EOFError,
    ) as error:
        raise ValueError(f'cannot be unpacked ({error}). Get the zip again.') from error
