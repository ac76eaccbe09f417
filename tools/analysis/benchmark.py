"""Times the method against a plain schedule of the same mathematics.

Each work runs in turn with its plain schedule (softmax attention written out,
every slot for a person and every view encoded, no layer frozen, single
precision), which has the same weights. docs/speed.md says what the modes are.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

import stars_mm  # noqa: F401  checks the versions
from stars_mm.speed.benchmark import add_peaks, machine, run_work, table
from stars_mm.speed.profile import describe
from stars_mm.speed.works import WORKS, Sizes
from stars_mm.utils.atomic import written_whole


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Time the method against a plain schedule')
    parser.add_argument(
        '--work',
        nargs='+',
        choices=list(WORKS),
        default=list(WORKS),
        help='what to time (default: all)',
    )
    parser.add_argument('--json', type=Path, help='write the rows here')
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='where to compute (default: the GPU where there is one)',
    )
    parser.add_argument(
        '--batch', type=int, default=Sizes.batch, help='clips in a step (default: %(default)s)'
    )
    parser.add_argument(
        '--single',
        type=float,
        default=Sizes.single,
        help='share of the clips with one person (default: %(default)s)',
    )
    parser.add_argument(
        '--decoder-depth',
        type=int,
        default=Sizes.decoder_depth,
        help="blocks of stage 1's decoder (default: %(default)s)",
    )
    parser.add_argument(
        '--repeats', type=int, default=5, help='how often each mode is timed (default: %(default)s)'
    )
    parser.add_argument(
        '--profile',
        action='store_true',
        help='also show where the time of a step goes, and the floors that FLOPs and bytes set',
    )
    parser.add_argument(
        '--tiny', action='store_true', help='small models and data, to try the program'
    )
    args = parser.parse_args(argv)
    if args.batch < 2 or args.repeats < 1 or args.decoder_depth < 1:
        parser.error('--batch must be 2 or more, --repeats and --decoder-depth 1 or more')
    if not 0 <= args.single <= 1:
        parser.error(f'--single {args.single} must lie between 0 and 1')
    return args


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
        rows += run_work(name, sizes, device, args.repeats, show, args.profile)
    show('matrix products')
    add_peaks(rows, device)
    show('')
    found = machine(device)
    print(
        f'{found["device"]}, {found["threads"]} threads, torch '
        f'{found["torch"]}, {sizes.batch} clips a step\n{table(rows)}'
    )
    if args.profile:
        print('\n'.join(map(describe, rows)))
    if args.json:
        text = json.dumps([{**row, **found} for row in rows], indent=2)
        with written_whole(args.json) as partial:
            partial.write_text(text + '\n')


if __name__ == '__main__':
    main()
