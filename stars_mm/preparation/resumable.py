"""Converts recordings in groups, on all cores, so that an interrupted conversion can go on.

The clips of a group are written to a file of their own, named after all that they depend on, in a
folder beside the annotation file; a conversion that starts again takes the files that are there and
whole: the last bytes of each are the SHA-256 of those before.
"""

import errno
import hashlib
import inspect
import os
import os.path as osp
import pickle
import shutil
import signal
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from stars_mm.preparation.recording import Recording
from stars_mm.utils.atomic import naming, written_whole
from stars_mm.utils.input_error import InputError
from stars_mm.utils.progress import Progress
from stars_mm.utils.safe_pickle import load_pickle

#: So many recordings, or a few more of one source, are converted together.
GROUP_SIZE = 32
#: So many bad recordings are listed.
MAX_PROBLEMS = 20


def convert_in_groups(
    recordings: Iterable[Recording],
    convert_one: Callable[[Recording], dict],
    options: str,
    folder: str,
    workers: int = 1,
    total: int = 0,
) -> tuple[list[str], int]:
    """Converts the groups that have no file yet, and shows progress.

    Args:
        recordings (iterable[Recording]): Of a generator, a few groups at a time are in memory.
        convert_one (callable): Makes of a recording its clip, a dict of plain types and arrays;
            a ValueError says what is wrong. Can be pickled.
        options (str): What else the clips depend on.
        folder (str): The folder of the files; it is made.
        workers (int): Processes; 1 works in this one.
        total (int): How many recordings there are, where that is known.

    Returns:
        tuple: The files in order, and how many recordings were converted before.

    Raises:
        InputError: Lists what is wrong with the recordings, once all have been tried.
        OSError: If a file cannot be written.
        RuntimeError: If a process was ended from outside.
    """
    if workers < 1:
        raise ValueError(f'workers={workers}: at least one is needed.')
    os.makedirs(folder, exist_ok=True)
    if 0 < total <= GROUP_SIZE:
        workers = 1
    paths, before = [], 0
    pending: deque[Future] = deque()
    problems: list[str] = []

    def take(most: int) -> None:
        while len(pending) > most:
            count, wrong = pending.popleft().result()
            problems.extend(wrong)
            progress.update(count)

    with _open_pool(workers) as pool, Progress(total, 'recordings converted') as progress:
        for group in _groups(recordings):
            paths.append(osp.join(folder, f'{_key(group, options)}.pkl'))
            if osp.exists(paths[-1]) and _is_whole(paths[-1]):
                before += len(group)
                progress.update(len(group))
                continue
            pending.append(_submit(pool, group, paths[-1], convert_one))
            take(most=4 * workers)
        take(most=0)
    if problems:
        if not os.listdir(folder):
            os.rmdir(folder)
        raise_problems(problems)
    return paths, before


def raise_problems(problems: list[str]) -> None:
    """Raises an InputError that lists the first ones, each of which begins with its file."""
    more = len(problems) - MAX_PROBLEMS
    text = '\n'.join(problems[:MAX_PROBLEMS] + [f'and {more} more'] * (more > 0))
    path, _, problem = text.partition(': ')
    raise InputError(path, problem)


def read_groups(paths: Iterable[str]) -> Iterator[dict]:
    """Yields the clips of all groups in order, one group in memory at a time.

    Raises:
        InputError: If a file is not what was written.
    """
    for path in paths:
        if not _is_whole(path):
            remedy = 'Run the command again: it converts these recordings anew.'
            raise InputError(path, 'is damaged since it was written', remedy)
        yield from load_pickle(path)


@contextmanager
def removed_if_disk_full(folder: str) -> Iterator[None]:
    """Removes the folder when what is done with it finds the disk full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _groups(recordings: Iterable[Recording]) -> Iterator[list[Recording]]:
    group: list[Recording] = []
    for recording in recordings:
        same = group and recording.source and recording.source == group[-1].source
        if len(group) >= GROUP_SIZE and not same:
            yield group
            group = []
        group.append(recording)
    if group:
        yield group


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _open_pool(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    if workers == 1:
        yield None
        return
    pool = ProcessPoolExecutor(workers, initializer=_leave_interrupts_to_parent)
    try:
        yield pool
    except BrokenProcessPool as error:
        ended = 'a worker process was ended from outside, for lack of memory perhaps'
        raise RuntimeError(f'{ended}. Run the command again: it goes on from there.') from error
    finally:
        with _not_interrupted():  # workers whose end is not waited for wait forever
            pool.shutdown(cancel_futures=True)


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Pays no heed to further signals that raise a KeyboardInterrupt."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    heeded = [n for n in numbers if signal.getsignal(n) is signal.default_int_handler]
    if threading.current_thread() is not threading.main_thread():
        heeded = []
    for number in heeded:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.default_int_handler)


def _submit(
    pool: ProcessPoolExecutor | None, group: list[Recording], path: str, convert_one: Callable
) -> Future:
    """Has a group converted, in this process where it cannot be sent to another one."""
    try:
        if pool is not None:
            return pool.submit(_write_group, pickle.dumps(group), path, convert_one)
    except (pickle.PicklingError, AttributeError, TypeError):
        pass  # a function within a function, say
    done: Future = Future()
    done.set_result(_write_group(group, path, convert_one))
    return done


def _write_group(
    group: list[Recording] | bytes, path: str, convert_one: Callable
) -> tuple[int, list[str]]:
    """Writes the file of a group, pickled or not; gives its size and what is wrong with it."""
    group = pickle.loads(group) if isinstance(group, bytes) else group
    clips, problems = [], []
    for recording in group:
        try:
            clips.append(convert_one(recording))
        except ValueError as error:
            problems.append(str(error))
    if not problems:
        try:
            with written_whole(path) as unfinished, open(unfinished, 'w+b') as file:
                pickle.dump(clips, file, protocol=4)
                file.write(_digest(file, file.tell()))
        except OSError as error:
            # The reason alone may come back whole from another process.
            raise OSError(error.errno, error.strerror, path) from error
    return len(group), problems


def _digest(file: IO[bytes], size: int) -> bytes:
    """SHA-256 of the first bytes of a file, which is left behind them."""
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(min(size - file.tell(), 1 << 20)):
        digest.update(block)
    return digest.digest()


def _is_whole(path: str) -> bool:
    """Whether the file of a group is what was written."""
    with naming(path), open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size - hashlib.sha256().digest_size
        return size > 0 and _digest(file, size) == file.read()


def _key(group: list[Recording], options: str) -> str:
    """Tells all that a group's clips depend on; another one each time where that is unknown."""
    digest = hashlib.sha256(options.encode())
    for recording in group:
        found = recording.keypoints
        values, code = [found, recording.scores], ''
        if isinstance(found, partial):
            values = [*found.args, *sorted(found.keywords.items())]
            try:
                code = found.func.__qualname__ + _code_digest(inspect.getsourcefile(found.func))
            except TypeError:  # a class's object, or C
                return uuid.uuid4().hex
        elif callable(found):
            return uuid.uuid4().hex
        digest.update(f'{recording.name!r} {code} {list(map(_describe, values))}\n'.encode())
    return digest.hexdigest()[:32]


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value).tobytes()
        return f'{value.dtype} {value.shape} {hashlib.sha256(content).hexdigest()}'
    if isinstance(value, (str, Path)) and osp.isfile(value):
        stat = os.stat(value)
        return f'{value} {stat.st_size} {stat.st_mtime_ns}'
    return repr(value)


@lru_cache
def _code_digest(file: str | None) -> str:
    """Changes when a reader's code does, or ours."""
    files = [*Path(__file__).parent.rglob('*.py'), *([Path(file)] if file else [])]
    return hashlib.sha256(b''.join(path.read_bytes() for path in sorted(files))).hexdigest()
