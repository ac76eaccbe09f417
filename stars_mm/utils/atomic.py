"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Gives the path to write to; at the end the file moves to its own.

    ::

        with written_whole(path) as partial:
            partial.write_text(text)

    Args:
        path (str or Path): The file to write. Its folder is made; a file that
            is there already is replaced once the new one is complete, and
            stays as it is where an error or an interrupt comes first.

    Yields:
        Path: A name beside it. Whatever is written there has to be closed before the block ends.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
    try:
        yield partial
        with open(partial, 'rb') as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all, in UTF-8."""
    with written_whole(path) as partial:
        partial.write_text(text, encoding='utf-8')
