"""Makes an annotation file of the PKU-MMD skeletons.

    python tools/data/convert_pku.py PKU-MMD-v2 data/skeleton/pku2_3d.pkl \\
        --phase 2

SRC is a folder or zip with, at any depth, the folders skeleton and label (one NAME.txt a recording
in each) and the split files: cross-subject.txt and cross-view.txt of phase I, cross_subject_v2.txt
and cross_view_v2.txt of phase II. The clips are those of the published preparation: coordinates as
recorded, metres, the first 300 frames, and what is zero throughout left out. An interrupted
conversion goes on when the command is given again.
"""

import argparse
import signal
import sys
from collections import Counter

import numpy as np

import stars_mm  # noqa: F401  (makes mmaction2 importable)
from stars_mm.preparation.parts import all_cores
from stars_mm.preparation.readers.pku import CLASS_NAMES, MAX_FRAMES, SPLITS, Result, convert


def summary(result: Result) -> str:
    """Counts clips by class and split, frames, and what was left out."""
    counts = {
        split: Counter(result.clips[name][0] for name in result.splits[split]) for split in SPLITS
    }
    lines = ['class ' + ' '.join(f'{split:>12}' for split in SPLITS)]
    for label, name in enumerate(CLASS_NAMES):
        if any(count[label] for count in counts.values()):
            lines.append(
                f'{label + 1:5} '
                + ' '.join(f'{counts[split][label]:12}' for split in SPLITS)
                + f'  {name}'
            )
    absent = len(CLASS_NAMES) - len({label for label, _ in result.clips.values()})
    lines.append('all   ' + ' '.join(f'{len(result.splits[split]):12}' for split in SPLITS))
    frames = np.array([number for _, number in result.clips.values()])
    lines.append(f'clips: {len(frames)}, {absent} of {len(CLASS_NAMES)} classes without any')
    lines.append(
        f'frames: {frames.min()} to {frames.max()} a clip, '
        f'{frames.mean():.1f} on average, {frames.sum()} in all'
    )
    lines += [f'{what}: {number} clips' for what, number in result.counts.items() if number]
    lines.append(f'dropped: {len(result.dropped)} clips')
    lines += [f'  {name}: {why}' for name, why in result.dropped.items()]
    return '\n'.join(lines + [f'note: {note}' for note in result.notes])


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='folder or zip of skeletons and labels')
    parser.add_argument('dst', help='the annotation file to write, a .pkl or .npz')
    parser.add_argument('--phase', type=int, choices=(1, 2), required=True)
    parser.add_argument(
        '--max-frames',
        type=int,
        default=MAX_FRAMES,
        help='a longer clip loses its end; 0 keeps all (default: '
        '%(default)s, as in published results)',
    )
    parser.add_argument(
        '--outside',
        choices=('error', 'cut'),
        default='error',
        help='a label that goes past the end of its recording: stop, or end '
        'the clip there, as the published preparation does',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=all_cores(),
        help='processes to work in; by default one a core',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    try:
        result = convert(
            args.src, args.dst, args.phase, args.max_frames, args.outside, args.workers
        )
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'\nerror: {error}')
    except KeyboardInterrupt:
        print(
            f'\ninterrupted. Run the command again to go on; what is done is in {args.dst}.parts',
            file=sys.stderr,
        )
        sys.exit(130)
    if result.before:
        print(f'\n{result.before} recordings had been converted before')
    print(f'\n{summary(result)}\nwritten to {args.dst}')


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
