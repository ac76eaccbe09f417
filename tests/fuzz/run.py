"""Opens damaged files at every door, and says what became of them.

    python -m tests.fuzz.run --seconds 120
    python -m tests.fuzz.run --inputs 200000 --processes 2
    python -m tests.fuzz.run --replay 'recognizer:17.203'

Inputs are sound files with a few changes (:mod:`tests.fuzz.mutate`). One that reaches lines of the
package which none before it has reached is changed further. So an input is known by its door and
the seeds of its changes, one after another: ``--replay`` makes it again. Each is opened in a
process that may take a GiB more memory and 20 seconds of a core; one that dies is an outcome, too.

The exit status is 1 where anything is not well: let in unsound, another error than InputError or
OSError, a message without the file's name, memory, time, a crash.
"""

import argparse
import faulthandler
import mmap
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch

import stars_mm
from stars_mm.utils.input_error import InputError
from tests.fuzz.doors import DOORS
from tests.fuzz.mutate import Files, mutate, write_files

GIB = 1  # of memory beyond what the process has
RESIDENT = 512 << 20  # bytes that an input of kilobytes may really take
SECONDS = 20  # of a core for one input
TRACED = 4  # every how manieth input has its lines looked at
WELL = ('let in', 'refused')
BAD = ('unsound', 'other error', 'no name', 'memory', 'time', 'crash')
_PACKAGE = str(Path(stars_mm.__file__).parent)

Seeds = tuple[int, ...]


class Outcome(NamedTuple):
    seeds: Seeds
    kind: str  # one of WELL and BAD
    what: str = ''  # of BAD: the error's type, and where it was raised
    text: str = ''  # and what it says
    is_new: bool = False  # reached new lines


def make_input(name: str, seeds: Seeds) -> Files:
    """The files of a door after the changes of some seeds, the same each time."""
    files = DOORS[name].files()
    for seed in seeds:
        files = mutate(files, np.random.default_rng([zlib.crc32(name.encode()), seed]))
    return DOORS[name].seal(files)


def open_input(name: str, files: Files, folder: Path) -> tuple[str, str, str]:
    """Opens files at a door; gives a kind of outcome, and of a bad one what it was and says."""
    write_files(files, folder)
    names = {folder.name, *(Path(path).name for path in (*files, *DOORS[name].files()))}
    try:
        DOORS[name].open(folder)
    except Exception as error:
        if isinstance(error, AssertionError) and not _own_frames(error):
            return 'unsound', *_told(error)
        if _is_memory(error):
            return 'memory', *_told(error)
        if not isinstance(error, (InputError, OSError)):
            return 'other error', *_told(error)
        if not any(part in str(error) for part in names):
            return 'no name', *_told(error)
        return 'refused', '', ''
    return 'let in', '', ''


def _is_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it comes from, is of memory that was asked for."""
    return error is not None and (
        isinstance(error, MemoryError) or _is_memory(error.__cause__ or error.__context__)
    )


def _own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if frame.filename.startswith(_PACKAGE)]


def _told(error: BaseException) -> tuple[str, str]:
    """An error's type and the last line of the package that it came through; and its text."""
    own = _own_frames(error) or traceback.extract_tb(error.__traceback__)[-1:]
    where = f'{type(error).__name__} in {Path(own[-1].filename).name}:{own[-1].lineno}'
    return where, ' '.join(str(error).split())[:300]


class _Lines:
    """Which lines of the package have been reached."""

    def __init__(self) -> None:
        self.seen: set[tuple[Any, int]] = set()

    def __enter__(self) -> '_Lines':
        self.before = len(self.seen)
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: Any) -> None:
        sys.settrace(None)

    @property
    def are_new(self) -> bool:
        return len(self.seen) > self.before

    def _call(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(_PACKAGE) else None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.seen.add((frame.f_code, frame.f_lineno))
        return self._line


def _work(name: str, kept: list[Seeds], first: int, current: mmap.mmap, pipe: Connection) -> None:
    """Opens one input after another, until the process is ended."""
    faulthandler.disable()  # a crash is an outcome
    limit_process()
    rng, lines = np.random.default_rng([first, zlib.crc32(name.encode())]), _Lines()
    with tempfile.TemporaryDirectory(prefix='fuzz-') as top:
        for number in range(first, sys.maxsize):
            parent = kept[int(rng.integers(len(kept)))] if rng.random() < 0.6 else ()
            seeds = (*parent, number)
            current.seek(0)
            current.write(f'{".".join(map(str, seeds))}\n'.encode())
            folder = Path(top, f'input{number}')
            folder.mkdir()
            files, is_traced = make_input(name, seeds), number % TRACED == 0
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            if is_traced:
                with lines:
                    kind, what, text = open_input(name, files, folder)
            else:
                kind, what, text = open_input(name, files, folder)
            signal.setitimer(signal.ITIMER_PROF, 0)
            taken = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
            if taken > RESIDENT:
                kind, what, text = 'memory', f'{taken >> 28 << 8} MiB were taken', f'{kind}: {text}'
            is_new = is_traced and lines.are_new and len(seeds) < 8
            if is_new:
                kept.append(seeds)
            shutil.rmtree(folder, ignore_errors=True)
            pipe.send(Outcome(seeds, kind, what, text, is_new))


def limit_process() -> None:
    """Bounds this process's memory, keeps it quiet, and has it die of a crash without a dump."""
    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (GIB << 30), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)


def outcomes(name: str, inputs: float, seconds: float) -> Iterator[Outcome]:
    """What became of so many inputs at a door, or as many as there is time for."""
    context, current = multiprocessing.get_context('fork'), mmap.mmap(-1, 1 << 12)
    DOORS[name].files()  # made once, before the processes part
    end, count, kept = time.monotonic() + seconds, 0, [()]
    while count < inputs and time.monotonic() < end:
        pipe, other = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(name, list(kept), count, current, other))
        worker.start()
        other.close()
        try:
            while count < inputs and time.monotonic() < end:
                if not pipe.poll(8 * SECONDS):
                    worker.kill()
                found = pipe.recv()
                if found.is_new:
                    kept.append(found.seeds)
                count += 1
                yield found
        except EOFError:
            worker.join()
            seeds = tuple(map(int, current[:].split(b'\n')[0].split(b'.')))
            is_slow = worker.exitcode in (-signal.SIGPROF, -signal.SIGKILL)
            count = max(count, seeds[-1]) + 1
            yield Outcome(seeds, 'time' if is_slow else 'crash', f'exit status {worker.exitcode}')
        finally:
            worker.kill()
            worker.join()


def fuzz_door(name: str, inputs: float, seconds: float) -> tuple[Counter, dict]:
    """How often each kind of outcome was, and of the bad ones what → outcomes."""
    counts, bad = Counter(), defaultdict(list)
    for found in outcomes(name, inputs, seconds):
        counts[found.kind] += 1
        counts['lines'] += found.is_new
        if found.kind in BAD:
            bad[f'{found.kind}: {found.what}'].append(found)
    return counts, bad


def table(results: dict[str, tuple[Counter, dict]]) -> str:
    """Markdown of all doors."""
    columns = ('inputs', *WELL, *BAD)
    rows = [('door', *columns)]
    total: Counter = Counter()
    for name, (counts, _) in results.items():
        counts['inputs'] = sum(counts[kind] for kind in WELL + BAD)
        total += counts
        rows.append((name, *(f'{counts[column]:,}' for column in columns)))
    rows.append((f'{len(results)} doors', *(f'{total[column]:,}' for column in columns)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    lines.insert(1, ' | '.join('-' * width for width in widths))
    return '\n'.join(f'| {line} |' for line in lines)


def replay(name: str, seeds: Seeds) -> None:
    """Opens one input in this process, and shows its error whole."""
    folder = Path(tempfile.mkdtemp(prefix='fuzz-'), 'input')
    folder.mkdir()
    write_files(make_input(name, seeds), folder)
    print(f'{name}: the files are in {folder}', flush=True)
    DOORS[name].open(folder)
    print('let in')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--seconds', type=float, default=float('inf'), help='for all doors together')
    add('--inputs', type=int, default=0, help='for all doors together')
    add('--door', nargs='+', default=[], help='parts of their names (default: all)')
    add('--processes', type=int, default=1)
    add('--replay', metavar='DOOR:SEEDS', help='open one input again')
    args = parser.parse_args(argv)
    if not args.replay and not args.inputs and args.seconds == float('inf'):
        args.seconds = 120
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if args.replay:
        name, _, seeds = args.replay.rpartition(':')
        replay(name, tuple(map(int, seeds.split('.'))))
        return 0
    names = [name for name in DOORS if not args.door or any(part in name for part in args.door)]
    inputs = -(-args.inputs // len(names)) if args.inputs else float('inf')
    seconds = args.seconds * args.processes / len(names)
    torch.set_num_threads(1)  # its threads are lost in a fork, which would wait for them
    context = multiprocessing.get_context('fork')
    with ProcessPoolExecutor(args.processes, mp_context=context) as pool:
        found = pool.map(fuzz_door, names, [inputs] * len(names), [seconds] * len(names))
        results = {}
        for name, result in zip(names, found):
            results[name] = result
            print(f'{name}: {sum(result[0][kind] for kind in BAD)} bad', file=sys.stderr)
    print(table(results))
    for name, (_, bad) in results.items():
        for what, some in sorted(bad.items(), key=lambda item: -len(item[1])):
            first = min(some, key=lambda found: len(found.seeds))
            seeds = '.'.join(map(str, first.seeds))
            print(f'\n{name}: {len(some)} times {what}: {first.text}\n  --replay "{name}:{seeds}"')
    return int(any(bad for _, bad in results.values()))


if __name__ == '__main__':
    sys.exit(main())
