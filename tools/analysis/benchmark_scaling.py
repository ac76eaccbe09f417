"""Times training and evaluation on more and more processes.

    python tools/analysis/benchmark_scaling.py --processes 1 2 4 --json OUT

starts torchrun for each number of processes on this computer. Each process
has the same batch, so with twice the processes twice the clips should pass in
the same time. On several computers, start it by torchrun or Slurm like
train.py, with --launcher; it then measures the processes that there are, and
--append adds them to the JSON of other runs. docs/scaling.md says what is
measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from mmengine.dist import get_rank

import stars_mm  # noqa: F401  checks the versions
from stars_mm.compat import no_accelerator
from stars_mm.evaluation.protocols.tool_process import tool_command
from stars_mm.speed.benchmark import machine
from stars_mm.speed.scaling import add_efficiency, time_table, traffic_table
from stars_mm.speed.scaling_stage import Scale, load_configs
from stars_mm.speed.scaling_works import WORKS, measure
from stars_mm.utils.atomic import written_whole

CONFIG = Path(__file__).parents[2] / 'configs/stars_ntu60.py'


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Time training and evaluation on several processes'
    )
    parser.add_argument(
        '--processes',
        nargs='+',
        type=int,
        default=[1, 2],
        help='numbers of processes, one a GPU (default: 1 2)',
    )
    parser.add_argument(
        '--work', nargs='+', choices=WORKS, default=list(WORKS), help='what to time (default: all)'
    )
    parser.add_argument('--json', type=Path, help='write the rows here')
    parser.add_argument(
        '--append', action='store_true', help='keep what the JSON has of other numbers of processes'
    )
    parser.add_argument(
        '--config',
        type=Path,
        default=CONFIG,
        help='config of both stages (default: configs/stars_ntu60.py)',
    )
    for name, text in (
        ('batch', 'clips of a step on each process'),
        ('clips', 'clips on each process whose features are computed'),
        ('bank', 'features in which neighbours are sought'),
        ('queries', 'features on each process whose neighbours are sought'),
        ('repeats', 'how often each work is timed'),
    ):
        parser.add_argument(
            f'--{name}',
            type=int,
            default=getattr(Scale, name),
            help=f'{text} (default: %(default)s)',
        )
    parser.add_argument(
        '--single',
        type=float,
        default=Scale.single,
        help='share of the clips with one person (default: %(default)s)',
    )
    parser.add_argument(
        '--bucket-mib', type=float, help="size of the gradients' buckets (default: the runner's)"
    )
    parser.add_argument('--tiny', action='store_true', help='small models, to try the program')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm'],
        default='none',
        help='what started the processes; none: this program starts them',
    )
    parser.add_argument('--rows', type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    counts = (*args.processes, args.clips, args.bank, args.queries, args.repeats)
    if min(counts) < 1 or args.batch < 2:
        parser.error('--batch must be 2 or more, the other numbers 1 or more')
    if not 0 <= args.single <= 1:
        parser.error(f'--single {args.single} must lie between 0 and 1')
    if args.bucket_mib is not None and args.bucket_mib <= 0:
        parser.error(f'--bucket-mib {args.bucket_mib} must be positive')
    if args.append and not args.json:
        parser.error('--append needs --json')
    gpus = torch.cuda.device_count()
    if (
        args.launcher == 'none'
        and not args.rows
        and not no_accelerator()
        and (max(args.processes) > gpus)
    ):
        parser.error(
            f'--processes {max(args.processes)}: there are {gpus} GPUs, and '
            'each process needs one. To measure on the CPU, hide them: '
            'CUDA_VISIBLE_DEVICES='
        )
    return args


def show(text: str) -> None:
    """What is being done, said by one of the processes."""
    rank = os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or 0
    if int(rank) == 0:  # also before the processes know of each other
        print(text, file=sys.stderr, flush=True)


def measure_here(args: argparse.Namespace) -> list[dict]:
    """The rows of the processes that there are."""
    scale = Scale(
        str(args.config),
        args.batch,
        args.single,
        args.clips,
        args.bank,
        args.queries,
        args.repeats,
        args.bucket_mib,
        args.tiny,
    )
    device = torch.device('cpu' if no_accelerator() else 'cuda')
    rows = measure(list(dict.fromkeys(args.work)), scale, args.launcher, show)
    return [{**row, **machine(device), 'tiny': args.tiny} for row in rows]


def start_processes(args: argparse.Namespace, argv: list[str]) -> list[dict]:
    """The rows of each number of processes, started one after another."""
    try:
        load_configs(Scale(str(args.config)), 'none', '.')
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'--config: {error}')
    rows, counts = [], sorted(set(args.processes))
    threads = max((os.cpu_count() or 1) // counts[-1], 1)
    # the same for any number: more threads would be another comparison
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ.setdefault(name, str(threads))
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, 'rows.json')
        for count in counts:
            print(f'Processes: {count}', file=sys.stderr, flush=True)
            command, env = tool_command(
                'analysis/benchmark_scaling.py', [*argv, '--rows', str(found)], count
            )
            done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL)
            if done.returncode:
                sys.exit(
                    f'{count} processes: ended with {done.returncode}; what they said stands above.'
                )
            rows += json.loads(found.read_text())
    return rows


def finish(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the tables and write the JSON."""
    if args.append and args.json.exists():
        new = {(row['work'], row['processes']) for row in rows}
        rows = [
            row
            for row in json.loads(args.json.read_text())
            if (row['work'], row['processes']) not in new
        ] + rows
    rows.sort(key=lambda row: (WORKS.index(row['work']), row['processes']))
    add_efficiency(rows)
    last = rows[-1]
    print(
        f'{last["device"]}, {last["threads"]} threads a process, torch '
        f'{last["torch"]}, {args.batch} clips a process\n\n'
        f'{time_table(rows)}\n\nBytes a step and process:\n\n'
        f'{traffic_table(rows)}'
    )
    if args.json:
        with written_whole(args.json) as partial:
            partial.write_text(json.dumps(rows, indent=2) + '\n')


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
