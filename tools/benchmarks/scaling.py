"""Times training and evaluation on more and more processes.

    python tools/benchmarks/scaling.py --processes 1 2 4 --json OUT

starts torchrun for each number of processes on this computer. On several computers, start it by
torchrun or Slurm like train.py, with --launcher; it then measures the processes that there are, and
--append adds them to the JSON of other runs. docs/scaling.md says what is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.dist import get_rank
from scaling_cases import CASES, Scale, load_configs, measure
from scaling_rows import add_efficiency, bytes_table, time_table
from timing import machine

import stars_mm  # noqa: F401  checks the versions
from stars_mm.compat import no_accelerator
from stars_mm.evaluation.protocols.tool_process import tool_command
from stars_mm.utils.atomic import write_text

ROOT = Path(__file__).parents[2]


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--processes', nargs='+', type=int, default=[1, 2], help='one a GPU (default: 1 2)')
    add('--work', nargs='+', choices=list(CASES), default=list(CASES), help='default: all')
    add('--json', type=Path, help='write the rows here')
    add('--append', action='store_true', help='keep what the JSON has of other processes')
    add('--config', default=str(ROOT / 'configs/stars_ntu60.py'), help='default: %(default)s')
    for name, text in (
        ('batch', 'clips of a step on each process'),
        ('repeats', 'how often each work is timed'),
    ):
        add(f'--{name}', type=int, default=getattr(Scale, name), help=f'{text} (%(default)s)')
    add('--bucket-mib', type=float, help="size of the gradients' buckets (default: the runner's)")
    add('--tiny', action='store_true', help='small models, to try the program')
    launchers, text = ['none', 'pytorch', 'slurm'], 'what started the processes (none: this does)'
    add('--launcher', choices=launchers, default='none', help=text)
    add('--rows', type=Path, help=argparse.SUPPRESS)  # where a started process leaves its rows
    add('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if min(*args.processes, args.repeats) < 1 or args.batch < 2:
        parser.error('--batch must be 2 or more, the other numbers 1 or more')
    if args.bucket_mib is not None and args.bucket_mib <= 0:
        parser.error(f'--bucket-mib {args.bucket_mib} must be positive')
    if args.append and not args.json:
        parser.error('--append needs --json')
    gpus = torch.cuda.device_count()
    starts = args.launcher == 'none' and not args.rows
    if starts and not no_accelerator() and max(args.processes) > gpus:
        parser.error(
            f'--processes {max(args.processes)}: there are {gpus} GPUs, and each process needs '
            'one. To measure on the CPU, hide them: CUDA_VISIBLE_DEVICES='
        )
    return args


def show(text: str) -> None:
    """What is being done, said by one of the processes."""
    rank = os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or 0
    if int(rank) == 0:  # also before the processes know of each other
        print(text, file=sys.stderr, flush=True)


def measure_here(args: argparse.Namespace) -> list[dict]:
    """The rows of the processes that there are."""
    scale = Scale(args.config, args.batch, repeats=args.repeats, bucket_mib=args.bucket_mib)
    if args.tiny:
        scale = replace(scale, clips=8, bank=50, queries=7, tiny=True)
    device = torch.device('cpu' if no_accelerator() else 'cuda')
    rows = measure(list(dict.fromkeys(args.work)), scale, args.launcher, show)
    return [{**row, **machine(device), 'tiny': args.tiny} for row in rows]


def start_processes(args: argparse.Namespace, argv: list[str]) -> list[dict]:
    """The rows of each number of processes, started one after another."""
    try:
        load_configs(Scale(args.config), 'none', '.')
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'--config: {error}')
    rows, counts = [], sorted(set(args.processes))
    threads = str(max((os.cpu_count() or 1) // counts[-1], 1))
    # the same for any number: more threads would be another comparison
    common = dict(OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, 'rows.json')
        for count in counts:
            print(f'Processes: {count}', file=sys.stderr, flush=True)
            command, env = tool_command(
                f'benchmarks/{Path(__file__).name}', [*argv, '--rows', found], count
            )
            done = subprocess.run(command, env={**common, **env}, stdin=subprocess.DEVNULL)
            if done.returncode:
                sys.exit(f'{count} processes ended with {done.returncode}; see above.')
            rows += json.loads(found.read_text())
    return rows


def finish(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the tables and write the JSON."""
    if args.append and args.json.exists():
        new = {(row['work'], row['processes']) for row in rows}
        kept = json.loads(args.json.read_text())
        rows = [row for row in kept if (row['work'], row['processes']) not in new] + rows
    rows.sort(key=lambda row: (list(CASES).index(row['work']), row['processes']))
    add_efficiency(rows)
    last = rows[-1]
    print(
        f'{last["device"]} a process, torch {last["torch"]}, {args.batch} clips a process\n\n'
        f'{time_table(rows)}\n\nBytes a step and process:\n\n{bytes_table(rows)}'
    )
    if args.json:
        write_text(args.json, json.dumps(rows, indent=2) + '\n')


def main(argv=None) -> None:
    args = parse_args(argv)
    if args.rows is None and args.launcher == 'none':
        finish(start_processes(args, list(sys.argv[1:] if argv is None else argv)), args)
        return
    rows = measure_here(args)
    if get_rank() == 0:
        if args.rows is None:
            finish(rows, args)
        else:
            args.rows.write_text(json.dumps(rows))


if __name__ == '__main__':
    main()
