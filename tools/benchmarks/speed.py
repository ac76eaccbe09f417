"""Times the method against a plain schedule of the same mathematics.

    python tools/benchmarks/speed.py --work stage1 stage2 encode data knn --json OUT

Each work runs in turn with its plain schedule (softmax attention written out, every slot for a
person and every view encoded, no layer frozen, single precision), which has the same weights.
docs/speed.md says what the modes are.
"""

import argparse
import gc
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from speed_cases import CASES, Case, Sizes
from timing import (
    alternate,
    flops_and_memory,
    machine,
    markdown_table,
    matmul_peak,
    profile_table,
    quartiles,
)

import stars_mm  # noqa: F401  checks the versions
from stars_mm.utils.atomic import write_text

Progress = Callable[[str], None]


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--work', nargs='+', choices=list(CASES), default=list(CASES), help='default: all')
    add('--json', type=Path, help='write the rows here')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    add('--device', default=device, help='default: the GPU where there is one')
    add('--batch', type=int, default=Sizes.batch, help='clips in a step (%(default)s)')
    text = 'share of the clips with one person (%(default)s)'
    add('--single', type=float, default=Sizes.single, help=text)
    text = "blocks of stage 1's decoder (%(default)s)"
    add('--decoder-depth', type=int, default=Sizes.decoder_depth, help=text)
    add('--repeats', type=int, default=5, help='how often each mode is timed (default: 5)')
    add('--profile', action='store_true', help="also print torch's profile of each mode")
    add('--tiny', action='store_true', help='small models and data, to try the program')
    args = parser.parse_args(argv)
    if args.batch < 2 or args.repeats < 1 or args.decoder_depth < 1:
        parser.error('--batch must be 2 or more, --repeats and --decoder-depth 1 or more')
    if not 0 <= args.single <= 1:
        parser.error(f'--single {args.single} must lie between 0 and 1')
    return args


def measure(
    name: str, sizes: Sizes, device: torch.device, repeats: int, progress: Progress, profiled: bool
) -> list[dict]:
    """A row for each mode of a work, one of :data:`CASES`; ``profiled`` runs each once more to see
    where its time goes."""
    torch.manual_seed(0)
    case = CASES[name](sizes, device)
    gc.collect()  # so that what others left is not counted as memory
    looked = {}
    for mode, run in case.runs.items():
        progress(f'{name} {mode}: FLOPs and memory')
        looked[mode] = flops_and_memory(run, device)
        if device.type == 'cuda':
            progress(f'{name} {mode}: compilation')
            run()
    times = alternate(case.runs, repeats, lambda text: progress(f'{name} {text}'))
    found = {mode: _figures(case, times[mode], looked[mode], sizes) for mode in case.runs}
    plain = found.pop('plain')
    for mode, row in found.items():
        row.update({f'plain_{key}': value for key, value in plain.items()})
        row.update(
            work=name,
            mode=mode,
            ratio=plain['seconds'] / row['seconds'],
            processor_ratio=plain['processor_seconds'] / row['processor_seconds'],
            clips_per_second=case.clips / row['seconds'],
            clips=case.clips,
            repeats=repeats,
        )
        if profiled:
            progress(f'{name} {mode}: profile')
            print(f'{name} {mode}\n{profile_table(case.runs[mode], device)}')
    return list(found.values())


def _figures(case: Case, times: list, looked: tuple, sizes: Sizes) -> dict:
    clock = [time.clock for time in times]
    seconds = statistics.median(clock)
    whole = case.recipe_clips and sizes.num_frames == Sizes.num_frames
    return dict(
        seconds=seconds,
        spread=quartiles(clock),
        processor_seconds=statistics.median(time.processor for time in times),
        flops=looked[0],
        peak_bytes=looked[1],
        hours=case.recipe_clips / case.clips * seconds / 3600 if whole else None,
    )


def add_peak_share(rows: list[dict], device: torch.device, size: int | None = None) -> None:
    """Compare the rows' speed with that of a large matrix product, of the numbers in which the
    mode computes."""
    peaks = {torch.float32: matmul_peak(device, torch.float32, size)}
    if device.type == 'cuda':
        peaks[torch.bfloat16] = matmul_peak(device, torch.bfloat16, size)
    for row in rows:
        half = device.type == 'cuda' and row['mode'] == 'fast'
        row['matmul_peak'] = peaks[torch.bfloat16 if half else torch.float32]
        row['peak_share'] = row['flops'] / row['seconds'] / row['matmul_peak']


def table(rows: list[dict]) -> str:
    """The rows as text."""
    columns = {
        'work': '{work}',
        'mode': '{mode}',
        'seconds': '{seconds:.4g}',
        'plain': '{plain_seconds:.4g}',
        'ratio': '{ratio:.2f}',
        'by processor': '{processor_ratio:.2f}',
        'clips/s': '{clips_per_second:.4g}',
        'FLOP': '{flops:.4g}',
        'plain FLOP': '{plain_flops:.4g}',
        'of peak': '{peak_share:.0%}',
        'bytes': '{peak_bytes:.3g}',
        'plain bytes': '{plain_peak_bytes:.3g}',
        'hours': '{hours:.3g}',
    }
    return markdown_table(rows, columns)


def show(text: str) -> None:
    """What is being done, in one line that is written over."""
    if sys.stderr.isatty():
        print(f'\r{text:<60}', end='', file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def main(argv=None) -> None:
    args = parse_args(argv)
    device = torch.device(args.device)
    sizes = Sizes(args.batch, args.single, args.decoder_depth)
    sizes = sizes.tiny() if args.tiny else sizes
    rows = []
    for name in dict.fromkeys(args.work):
        rows += measure(name, sizes, device, args.repeats, show, args.profile)
    show('matrix products')
    add_peak_share(rows, device, 64 if args.tiny else None)
    show('')
    found = machine(device)
    print(f'{found["device"]}, torch {found["torch"]}, {sizes.batch} clips a step\n{table(rows)}')
    if args.json:
        text = json.dumps([{**row, **found} for row in rows], indent=2)
        write_text(args.json, text + '\n')


if __name__ == '__main__':
    main()
