"""Trains, recognizes and follows streams for hours, and says whether anything grows.

    python tools/benchmarks/soak.py work_dirs/soak --hours 2 --csv work_dirs/soak.csv

Works, each a process with workers of its own, side by side: `pretrain` is one long stage 1;
`recipe` trains all stages again and again in one process; `use` learns, saves, loads, recognizes
and follows streams. Of each are sampled, its workers included: memory (MiB, proportional set size),
open files, threads, processes, and what its folder holds (MiB, without logs). The time is cut into
eighths, of which each counts by its floor, the tenth percentile: workers come and go, a leak stays.
The first two are warm-up, a line through the other six gives the growth in percent of the level,
over all of the time. Linux only. Exits 1 where something grows by more than the limit, or a work
fails.
"""

import argparse
import csv
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stars_mm.utils.markdown import markdown_table

WORKS = ('pretrain', 'recipe', 'use')
QUANTITIES = ('memory', 'files', 'threads', 'processes', 'folder')
PARTS, WARM_UP = 8, 2


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('folder', type=Path, help='to work in; must not exist')
    add('--hours', type=float, default=2)
    add('--config', default='stars_demo.py', help='a recipe that trains on an annotation file')
    text = 'annotation file for all loaders (default: generated recordings, for the demo recipe)'
    add('--annotations', type=Path, help=text)
    add('--works', nargs='+', choices=WORKS, default=list(WORKS), help='default: all')
    add('--interval', type=float, default=5, help='seconds between samples (%(default)s)')
    add('--limit', type=float, default=3, help='growth in percent that is none (%(default)s)')
    add('--csv', type=Path, help='write the samples here')
    args = parser.parse_args(argv)
    if args.hours <= 0 or args.interval <= 0:
        parser.error('--hours and --interval must be positive')
    return args


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for one in found:
        for children in Path(f'/proc/{one}/task').glob('*/children'):
            found += map(int, children.read_text().split())
    return found


def sample(pid: int, folder: Path) -> dict[str, float]:
    """What a process, those that it started and its folder hold now."""
    total: dict[str, float] = dict.fromkeys(QUANTITIES, 0)
    for one in family(pid):
        place = Path(f'/proc/{one}')
        try:
            lines = (place / 'smaps_rollup').read_text().splitlines()
            counts = [sum(1 for _ in (place / name).iterdir()) for name in ('fd', 'task')]
        except OSError:  # it has ended
            continue
        total['memory'] += sum(int(n.split()[1]) for n in lines if n.startswith('Pss:')) / 1024
        total['files'] += counts[0]
        total['threads'] += counts[1]
        total['processes'] += 1
    for path in folder.rglob('*'):
        try:
            if path.is_file() and path.suffix not in ('.log', '.json'):
                total['folder'] += path.stat().st_size / 2**20
        except OSError:
            continue
    return total


def growth(times: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """The level after warm-up, and the growth over all of the time in percent of it."""
    moments = np.asarray(times) - times[0]
    part = np.minimum((moments / moments[-1] * PARTS).astype(int), PARTS - 1)
    eighths = [np.asarray(values)[part == n] for n in range(WARM_UP, PARTS)]
    floors = np.array([np.percentile(values, 10) for values in eighths])
    slope = np.polyfit(np.arange(len(floors)), floors, 1)[0]
    level = float(floors.mean())
    return level, 100 * slope * PARTS / level if level else 0.0


def watch(args: argparse.Namespace, processes: dict[str, subprocess.Popen]) -> list[dict]:
    """Sample until the time is over or all works have ended."""
    rows: list[dict] = []
    begin = said = time.monotonic()
    while (now := time.monotonic()) < begin + 3600 * args.hours:
        for work, process in processes.items():
            if process.poll() is None:
                held = sample(process.pid, args.folder / work)
                rows.append(dict(seconds=round(now - begin, 1), work=work, **held))
        if not any(process.poll() is None for process in processes.values()):
            break
        if args.csv:
            with open(args.csv, 'w', newline='') as file:
                writer = csv.DictWriter(file, ['seconds', 'work', *QUANTITIES])
                writer.writeheader()
                writer.writerows(rows)
        if now >= said:
            latest = {row['work']: row for row in rows}
            for work, row in latest.items():
                held_now = ', '.join(f'{name} {row[name]:.0f}' for name in QUANTITIES)
                print(f'{row["seconds"] / 60:6.1f} min  {work}: {held_now}', flush=True)
            said += max(60, 36 * args.hours)
        time.sleep(args.interval)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and end the works
    args.folder.mkdir(parents=True)
    script = Path(__file__).with_name('soak_works.py')
    processes, failed = {}, []
    for work in args.works:
        place = args.folder / work
        place.mkdir()
        command = [sys.executable, str(script), work, str(place), args.config, str(args.hours)]
        command += [str(args.annotations.absolute())] if args.annotations else []
        with open(place / 'output.log', 'w') as log:
            processes[work] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        rows = watch(args, processes)
        failed = [work for work, process in processes.items() if process.poll() is not None]
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()
    series = defaultdict(list)
    for row in rows:
        series[row['work']].append(row)
    table, grown = [['work', 'what', 'level', f'growth in {args.hours:g} h (%)']], []
    for work, own in series.items():
        if work in failed:
            continue
        for name in QUANTITIES:
            level, percent = growth([row['seconds'] for row in own], [row[name] for row in own])
            table.append([work, name, f'{level:.1f}', f'{percent:+.1f}'])
            if percent > args.limit:
                grown.append(f'{work}: {name} grows by {percent:.1f} %')
    print(markdown_table(table))
    for work in failed:
        print(f'{work} ended early: {args.folder / work / "output.log"}')
    print('\n'.join(grown) or f'Nothing grows by more than {args.limit:g} %.')
    if not (grown or failed):
        shutil.rmtree(args.folder)
    return int(bool(grown or failed))


if __name__ == '__main__':
    sys.exit(main())
