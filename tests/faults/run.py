"""Lets the disk fail at every operation of every writer and reader, one after another.

    python -m tests.faults.run [--only NAME ...]

A writer is stopped at its first, second, … write (open to write, write, sync, rename, new folder),
by a full disk (ENOSPC, from there on) and by a broken one (EIO, once), until it ends undisturbed.
Each time the error is an OSError that names what was to be written, former files are whole, no
partial one is left, and the next try gives the very files that it gives on a sound disk. Readers
are those of :mod:`tests.fuzz.doors`, stopped at every read.
"""

import argparse
import ctypes
import errno
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

WRITES, READS = 1, 2
SOURCE = Path(__file__).with_name('faulty_disk.c')
FAULTS = {'ENOSPC': (errno.ENOSPC, True), 'EIO': (errno.EIO, False)}
MOST = 2000  # operations of one writer


class FaultyDisk:
    """What :data:`SOURCE` does, in a process that it was loaded into."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(os.environ['LD_PRELOAD'])
        self.library.fault_arm.argtypes = [
            ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_int
        ]  # fmt: skip

    def call(self, function: Callable, folder: Path, what: int, place: int, fault: str) -> tuple:
        """Calls a function; gives its error, and how often the disk failed."""
        number, goes_on = FAULTS[fault]
        self.library.fault_arm(str(folder.resolve()).encode(), what, place, number, goes_on)
        error = None
        try:
            function()
        except BaseException as caught:
            error = caught
        finally:
            self.library.fault_disarm()
        return error, self.library.fault_failed()


def content(folder: Path) -> dict[str, object]:
    """Files below a folder; those of a zip without its dates."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob('*')):
        if path.is_symlink() or not path.is_file():
            continue
        raw = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        if zipfile.is_zipfile(io.BytesIO(raw)) and path.suffix == '.npz':
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                found[name] = {info.filename: archive.read(info) for info in archive.infolist()}
        else:
            found[name] = raw
    return found


def try_writer(
    disk: FaultyDisk, write: Callable[[Path], None], top: Path, has_former: bool
) -> tuple:
    """How many faults there were, and what was not well."""
    whole = fresh(top / 'whole')
    write(whole)
    wanted, counts, bad = content(whole), Counter(), []
    former = dict.fromkeys(wanted, b'as it was before') if has_former else {}
    for fault in FAULTS:
        for place in range(1, MOST):
            out = fresh(top / 'out')
            for name, text in former.items():
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                (out / name).write_bytes(text)
            error, failed = disk.call(lambda: write(out), out, WRITES, place, fault)
            if not failed:
                break
            counts[fault] += 1
            problem = judge_write(error, content(out), former, wanted)
            if not problem:
                write(out)
                again = content(out)
                problem = (
                    '' if again == wanted else f'the next try gives {differing(again, wanted)}'
                )
            if problem:
                bad.append(f'{fault} at {place}{" over files" * has_former}: {problem}')
    return counts, bad


def judge_write(error, found: dict, former: dict, wanted: dict) -> str:
    """What is not well after a fault."""
    kept = {name for name in found if '.unfinished/' not in name}  # a conversion goes on from there
    strange = sorted(kept - set(wanted))
    if strange:
        return f'{strange[0]} is left; the error is {error!r:.80}'
    for name in wanted:
        if found.get(name) not in (former.get(name), wanted[name]):
            return (
                f'{name} is {"gone" if name not in found else "torn"}; the error is {error!r:.80}'
            )
    if error is None:
        return '' if found == wanted else 'no error, and not all is written'
    if not isinstance(error, OSError):
        return f'another error: {error!r:.120}'
    names = {part for name in wanted for part in Path(name).parts} | {'/out'}
    if not any(name in str(error) for name in names):
        return f'no name in {error!r:.120}'
    return ''


def try_reader(disk: FaultyDisk, door, top: Path) -> tuple:
    from stars_mm.utils.input_error import InputError
    from tests.fuzz.mutate import write_files

    counts, bad = Counter(), []
    for place in range(1, MOST):
        folder = fresh(top / f'read{place}')
        files = door.seal(door.files())
        write_files(files, folder)
        error, failed = disk.call(lambda: door.open(folder), folder, READS, place, 'EIO')
        shutil.rmtree(folder)
        if not failed:
            break
        counts['EIO'] += 1
        names = {folder.name, *(Path(name).name for name in files)}
        if error is None:
            counts['went on'] += 1
        elif not isinstance(error, (OSError, InputError)):
            bad.append(f'EIO at read {place}: another error: {error!r:.160}')
        elif not any(name in str(error) for name in names):
            bad.append(f'EIO at read {place}: no name in {error!r:.160}')
    return counts, bad


def differing(found: dict, wanted: dict) -> list[str]:
    return [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)][:3]


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def work(only: list[str]) -> int:
    """Tries all in this process, into which the faulty disk was loaded."""
    from tests.faults.writers import WRITERS, prepare
    from tests.fuzz.doors import DOORS

    disk, total, bad = FaultyDisk(), Counter(), []
    top = Path(tempfile.mkdtemp(prefix='faults-'))
    os.chdir(top)
    os.environ['XDG_CACHE_HOME'] = '/dev/null/cache'  # no second place for a clip store
    out = os.fdopen(os.dup(1), 'w', buffering=1)
    with open(os.devnull, 'w') as null:
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    prepare()
    tries: dict[str, Callable] = {}
    for name, write in WRITERS.items():
        for has_former in (False, True):
            title = f'write {name}{", over files" * has_former}'
            tries[title] = partial(try_writer, disk, write, top, has_former)
    tries.update(
        {f'read {name}': partial(try_reader, disk, door, top) for name, door in DOORS.items()}
    )
    print(
        '| what | ENOSPC | EIO | of these it went on | not well |\n|---|---|---|---|---|', file=out
    )
    for name, attempt in tries.items():
        if only and not any(part in name for part in only):
            continue
        counts, problems = attempt()
        total.update(counts, wrong=len(problems))
        bad += [f'{name}: {problem}' for problem in problems[:4]]
        print(row(name, counts, len(problems)), file=out)
    print(row('all', total, total['wrong']), *bad, sep='\n', file=out)
    shutil.rmtree(top)
    return int(total['wrong'] > 0)


def row(name: str, counts: Counter, wrong: int) -> str:
    return f'| {name} | {counts["ENOSPC"]} | {counts["EIO"]} | {counts["went on"]} | {wrong} |'


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--only', nargs='+', default=[], metavar='NAME')
    args = parser.parse_args()
    if 'faulty_disk' in os.environ.get('LD_PRELOAD', ''):
        return work(args.only)
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, 'faulty_disk.so')
        subprocess.run(
            ['gcc', '-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl'], check=True
        )
        command = [sys.executable, '-m', 'tests.faults.run', *sys.argv[1:]]
        return subprocess.run(command, env=dict(os.environ, LD_PRELOAD=str(library))).returncode


if __name__ == '__main__':
    sys.exit(main())
