"""Converts recordings in parts, on all cores, so that one can go on later.

A part is a group of recordings. Its clips are written to a file of their own,
named after all that went into it, in a folder beside the annotation file; a
conversion that starts again takes the parts that are there already.
"""

import errno
import hashlib
import os
import os.path as osp
import pickle
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, NamedTuple

from mmengine.utils import ProgressBar

from stars_mm.utils.atomic import written_whole
from stars_mm.utils.safe_pickle import load_pickle

#: So many bad recordings are listed.
MAX_PROBLEMS = 20
#: Makes of a recording its clip, a dict of plain types and arrays.
ConvertOne = Callable[[Any], dict]


class Part(NamedTuple):
    """Recordings that are converted together, and the file for their clips."""

    recordings: Sequence[Any]
    path: str
    convert_one: ConvertOne


def plan(
    groups: Iterable[Sequence[Any]], convert_one: ConvertOne, options: str, folder: str
) -> list[Part]:
    """Gives each group of recordings its file.

    Args:
        groups (Iterable[Sequence]): Recordings; their ``repr`` must change
            when a recording changes.
        convert_one (callable): Converts a recording; can be pickled.
        options (str): What else the clips depend on.
        folder (str): The folder of the files.
    """
    parts = []
    for group in groups:
        key = hashlib.sha256(f'{options}\n{group!r}'.encode()).hexdigest()
        parts.append(Part(group, osp.join(folder, f'{key[:32]}.pkl'), convert_one))
    return parts


def _convert_part(part: Part) -> tuple[int, list[str]]:
    """Writes a part's file; gives its size and what is wrong with it."""
    clips, problems = [], []
    for recording in part.recordings:
        try:
            clips.append(part.convert_one(recording))
        except ValueError as error:
            problems.append(str(error))
    if not problems:
        try:
            with written_whole(part.path) as partial, open(partial, 'wb') as file:
                pickle.dump(clips, file, protocol=4)
        except OSError as error:
            # The reason alone may come back whole from another process.
            raise OSError(error.errno, error.strerror, part.path) from error
    return len(part.recordings), problems


def all_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _convert_all(parts: Sequence[Part], workers: int) -> Iterator[tuple[int, list[str]]]:
    if workers == 1 or len(parts) < 2:
        yield from map(_convert_part, parts)
        return
    pool = ProcessPoolExecutor(min(workers, len(parts)), initializer=_leave_interrupts_to_parent)
    try:
        for future in as_completed([pool.submit(_convert_part, part) for part in parts]):
            yield future.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            'a worker process was ended from outside, for lack '
            'of memory perhaps. Run the command again: it goes '
            'on from there.'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def convert_parts(parts: Sequence[Part], workers: int) -> int:
    """Converts the parts that have no file yet, and shows progress.

    Args:
        parts (Sequence[Part]): As ``plan`` gives them; all in one folder.
        workers (int): Processes; 1 works in this one.

    Returns:
        int: Recordings that were converted before.

    Raises:
        ValueError: Lists what is wrong with the recordings, once all have been tried.
        OSError: If a part cannot be written.
        RuntimeError: If a process was ended from outside.
    """
    folder = osp.dirname(parts[0].path)
    os.makedirs(folder, exist_ok=True)
    todo = [part for part in parts if not osp.exists(part.path)]
    total = sum(len(part.recordings) for part in parts)
    left = sum(len(part.recordings) for part in todo)
    problems: list[str] = []
    if todo:
        progress = ProgressBar(left)
        for done, wrong in _convert_all(todo, workers):
            progress.update(done)
            problems.extend(wrong)
    if problems:
        if not os.listdir(folder):
            os.rmdir(folder)
        shown = sorted(problems)[:MAX_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f'and {len(problems) - len(shown)} more')
        raise ValueError('\n'.join(shown))
    return total - left


@contextmanager
def removed_if_disk_full(folder: str) -> Iterator[None]:
    """Removes the parts when what is done with them finds the disk full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def read_parts(parts: Iterable[Part]) -> Iterator[dict]:
    """Yields the clips of all parts in order, one part in memory at a time."""
    for part in parts:
        yield from load_pickle(part.path)
