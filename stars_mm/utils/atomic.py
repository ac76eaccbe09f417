"""Files and folders that are written whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Gives a path beside the file to write to; at the end what is there, which has to be closed,
    moves to its own.

    ::

        with written_whole(path) as partial:
            partial.write_text(text)

    A folder may be made there, too. The parent is made; what is there already is replaced once the
    new one is complete, and stays as it is where an error or an interrupt comes first. Once it is
    there, it stays there where the power fails.

    Raises:
        OSError: If it cannot be written; on a full disk, too, it names the path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    try:
        with naming(path):
            yield partial
        is_folder = partial.is_dir()
        for name in partial.iterdir() if is_folder else [partial]:
            with naming(path), open(name, 'rb') as file:
                os.fsync(file.fileno())
        if is_folder and path.exists():  # no folder can take its place
            former = path.with_name(f'{path.name}.{os.getpid()}.former.partial')
            os.replace(path, former)
            try:
                os.replace(partial, path)
            except BaseException:
                os.replace(former, path)
                raise
            remove(former)
        else:
            os.replace(partial, path)
        _sync_folder(path.parent)
    finally:
        remove(partial)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Let errors of a disk name a file or folder: a write to a full one does not say where."""
    try:
        yield
    except OSError as error:
        if error.errno is None and 'requested and' in str(error):  # so numpy says it
            raise OSError(errno.EIO, f'not all could be written ({error})', str(path)) from error
        if error.errno not in _DISK_ERRORS or error.filename is not None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    """Write to the disk which files are in a folder, where the system can do so."""
    if os.name != 'posix':
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError:  # not every network file system has it
        pass
    finally:
        os.close(folder)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all, in UTF-8."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding='utf-8')
