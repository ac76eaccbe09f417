"""Finds and reads the files of a data set in a folder, a zip, or a folder of zips."""

import functools
import logging
import os
import os.path as osp
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from unicodedata import category

from mmengine.logging import print_log

from stars_mm.utils.input_error import InputError, reading, shown
from stars_mm.utils.limits import check_zip, read_member

#: Kinds of characters of which no name is: control characters, and bytes that are no text.
_ODD = {'Cc', 'Cs'}


class SourceFile(NamedTuple):
    """A file that has been found, and not been read."""

    path: str  # within ``root``
    root: str  # the folder or zip that holds it
    stamp: str  # size and age, or in a zip size and checksum: changes when the file does

    @property
    def size(self) -> int:
        """int: Bytes of the content."""
        return int(self.stamp.split()[0])

    @property
    def stem(self) -> str:
        """str: The file's name without folder and ending."""
        return PurePosixPath(self.path).stem

    @property
    def name(self) -> str:
        """str: The path without ending."""
        return PurePosixPath(self.path).with_suffix('').as_posix()

    @property
    def parent(self) -> str:
        """str: The name of the folder that it lies in."""
        return PurePosixPath(self.path).parent.name

    @property
    def where(self) -> str:
        """str: The file, for messages."""
        if osp.isdir(self.root):
            return osp.join(self.root, self.path)
        return f'{self.root}: {self.path}'

    def read(self) -> bytes:
        """The content.

        Raises:
            InputError: If its zip does not give it.
            OSError: If the file cannot be read.
        """
        if osp.isdir(self.root):
            path = Path(self.root, self.path)
            if path.exists() and not path.is_file():  # it may never end
                raise InputError(path, 'is no file', 'Remove it.')
            return path.read_bytes()
        with reading(self.root, 'Get the zip again.', clip=self.path):
            archive = _open_zip(self.root, os.stat(self.root).st_mtime_ns, os.getpid())
            return read_member(archive, self.path)


@functools.lru_cache(maxsize=4)
def _open_zip(archive: str, changed: int, process: int) -> zipfile.ZipFile:
    # Opening lists all files, so it is done once. A forked process must not read through its
    # parent's handle, hence its id.
    opened = zipfile.ZipFile(archive)
    check_zip(opened, osp.getsize(archive))
    return opened


def _in_folder(folder: str) -> Iterator[SourceFile]:
    for path in Path(folder).rglob('*'):
        if path.is_dir():
            if path.is_symlink():
                text = f'{path}: is a link to a folder, what is in there is not taken'
                print_log(text, 'current', logging.WARNING)
        else:
            stat = path.stat() if path.exists() else path.lstat()  # reading a dead link will say so
            stamp = f'{stat.st_size} {stat.st_mtime_ns}'
            yield SourceFile(path.relative_to(folder).as_posix(), folder, stamp)


def _in_zip(archive: str) -> Iterator[SourceFile]:
    with reading(archive, 'Give a folder or a whole zip: this one may be cut off.'):
        with zipfile.ZipFile(archive) as opened:
            check_zip(opened, osp.getsize(archive))
            for info in opened.infolist():
                if not info.is_dir():
                    yield SourceFile(info.filename, archive, f'{info.file_size} {info.CRC}')


def find_files(src: str, suffixes: str | tuple[str, ...], example: str = '') -> list[SourceFile]:
    """Finds the files of some endings, at any depth, sorted by path; hidden ones, such as the
    shadows '._name' that a zip made on a Mac has, are left out.

    Args:
        src (str): The folder or the zip. A folder without any may hold zips that have them.
        suffixes (str or tuple[str, ...]): Endings, such as '.json'.
        example (str): What the files are called, for messages.

    Raises:
        FileNotFoundError: If there is no such folder or zip.
        InputError: If it holds no such file, one with a name that cannot be shown, or is no
            readable zip.
    """
    src = str(src)
    if not osp.exists(src):
        raise FileNotFoundError(f'{src}: there is no such folder or zip.')
    files = _wanted(_in_folder(src) if osp.isdir(src) else _in_zip(src), suffixes)
    if not files and osp.isdir(src):
        for archive in sorted(map(str, Path(src).glob('*.zip'))):
            files += _wanted(_in_zip(archive), suffixes)
    if not files:
        wanted = suffixes if isinstance(suffixes, str) else ', '.join(suffixes)
        way = f'Give the folder or zip with {example or "such files"} in it.'
        raise InputError(src, f'holds no {wanted}', way)
    for file in files:
        if not file.path.isprintable() and _ODD & {*map(category, file.path)}:
            problem = f'holds {shown(file.path)}, a name of control characters or of no text'
            raise InputError(src, problem, 'Rename it.')
        if '\\' in file.path and not osp.isdir(file.root):
            problem = (
                f'holds {shown(file.path)}, packed with backslashes, so that no folder is known'
            )
            raise InputError(file.root, problem, 'Unpack it, and give the folder.')
    return sorted(files)


def _wanted(files: Iterable[SourceFile], suffixes: str | tuple[str, ...]) -> list[SourceFile]:
    return [
        file
        for file in files
        if file.path.lower().endswith(suffixes) and not osp.basename(file.path).startswith('.')
    ]


def labels_of_folders(files: Sequence[SourceFile]) -> list[str | None]:
    """The name of the folder that each file lies in: its class. None where all of them lie directly
    in their source, so that none has a class; a ValueError where only some do."""
    labels = [file.parent or None for file in files]
    bare = next((file for file, label in zip(files, labels) if label is None), None)
    if bare is not None and any(labels):
        raise InputError(
            bare.where,
            'lies in no folder that would name its class, and others do',
            "Move it into one, or give --pattern, such as '{label}_{subject}_{take}', or --index.",
        )
    return labels


def by_stem(files: Iterable[SourceFile]) -> dict[str, SourceFile]:
    """Stem → file, in the order of the stems.

    Raises:
        InputError: If two files have one name.
    """
    found: dict[str, SourceFile] = {}
    for file in files:
        if file.stem in found:
            other = f"this and '{found[file.stem].where}' have one name"
            raise InputError(file.where, other, 'Remove one of them.')
        found[file.stem] = file
    return dict(sorted(found.items()))
