"""Makes an annotation file of the NTU RGB+D 60 or 120 skeletons.

NTU RGB+D (https://rose1.ntu.edu.sg/dataset/actionRecognition) is distributed
as ``nturgbd_skeletons_s001_to_s017.zip`` and, for NTU-120 as well,
``nturgbd_skeletons_s018_to_s032.zip``: one ``SsssCcccPpppRrrrAaaa.skeleton``
for each recording. Bodies that are none are dropped as in the data of CTR-GCN,
MAMP and STARS. An interrupted run goes on when it is started again.
"""

import argparse
import signal
import sys
from collections import Counter

import numpy as np

import stars_mm  # noqa: F401  (makes mmaction2 importable)
from stars_mm.preparation.parts import all_cores
from stars_mm.preparation.readers.ntu import Result, convert
from stars_mm.preparation.readers.ntu_names import DATASETS

#: What is said of denoising: count, unit, and in how many clips.
_DONE = (
    ('empty', 'frames without a body removed'),
    ('uncovered', 'frames with dropped bodies alone removed'),
    ('short', 'bodies dropped, 11 frames long or less'),
    ('wide', 'bodies dropped, too wide for a person'),
    ('third', 'bodies left out beside two actors'),
)
_MAX_NAMES = 10


def _table(result: Result) -> list:
    """Counts of clips by class and split."""
    counts = Counter(
        (result.clips[name][0], split) for split, names in result.splits.items() for name in names
    )
    width = max(map(len, result.splits))
    lines = ['class ' + ' '.join(f'{s:>{width}}' for s in result.splits)]
    for label in sorted({label for label, _ in result.clips.values()}):
        lines.append(
            f'A{label + 1:03}  '
            + ' '.join(f'{counts[label, split]:{width}}' for split in result.splits)
        )
    lines.append('all   ' + ' '.join(f'{len(names):{width}}' for names in result.splits.values()))
    return lines


def summary(result: Result, dataset: int) -> str:
    """Says how many clips and frames there are, what was dropped and why."""
    lines = _table(result)
    frames = np.array([length for _, length in result.clips.values()])
    lines.append(f'clips: {len(frames)} of the {DATASETS[dataset].clips} that NTU-{dataset} has')
    lines.append(
        f'frames: {frames.min()} to {frames.max()} a clip, '
        f'{frames.mean():.1f} on average, {frames.sum()} in all'
    )
    for why, count in result.left_out.items():
        lines.append(f'recordings left out: {count} {why}')
    for key, what in _DONE:
        if result.done[key]:
            lines.append(f'{result.done[key]} {what}, in {result.done[f"clips with {key}"]} clips')
    if result.rescued:
        names = ' '.join(result.rescued[:_MAX_NAMES])
        more = len(result.rescued) - _MAX_NAMES
        lines.append(
            f'{len(result.rescued)} clips have short bodies alone; '
            f'the longest was kept: {names}' + (f' and {more} more' if more > 0 else '')
        )
    if result.before:
        lines.append(f'{result.before} recordings were converted by an earlier, interrupted run')
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('src', help='a folder or zip of .skeleton files, or a folder of zips')
    parser.add_argument('dst', help='the annotation file to write, a .pkl or .npz')
    parser.add_argument('--dataset', type=int, choices=sorted(DATASETS), required=True)
    parser.add_argument(
        '--workers',
        type=int,
        default=all_cores(),
        help='processes to work in; by default one a core',
    )
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = convert(args.src, args.dst, args.dataset, args.workers)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'\nerror: {error}')
    except KeyboardInterrupt:
        print(
            f'\ninterrupted. Run the command again to go on; what is done is in {args.dst}.parts',
            file=sys.stderr,
        )
        sys.exit(130)
    print(f'\n{summary(result, args.dataset)}\nwritten to {args.dst}')


if __name__ == '__main__':
    main()
