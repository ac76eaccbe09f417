"""Write the demo data: skeleton actions of a kinematic body model.

The model and its sources are described in ``stars_mm.demo``.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from stars_mm.demo import make_annotations
from stars_mm.preparation.annotation_file import SUFFIXES, save_annotations


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dst', type=Path, help='annotation file (.pkl or .npz)')
    parser.add_argument('--clips-per-class', type=int, default=72)
    parser.add_argument(
        '--subjects',
        type=int,
        default=18,
        help='number of people; every third one is for validation',
    )
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if args.dst.suffix not in SUFFIXES:
        parser.error(f'dst={args.dst} has to end in .pkl or .npz')
    if args.seed < 0:
        parser.error(f'--seed {args.seed} has to be 0 or more')
    return args


def write(data: dict, dst: Path) -> None:
    """Write the annotation file, which appears whole or not at all."""
    extra = dict(data)
    save_annotations(str(dst), extra.pop('annotations'), extra.pop('split'), **extra)


def summary(data: dict, dst: Path) -> str:
    """What was written, in a few lines."""
    clips = data['annotations']
    frames = [clip['total_frames'] for clip in clips]
    pairs = Counter(clip['keypoint'].shape[0] for clip in clips)[2]
    split = ', '.join(f'{k} {len(v)}' for k, v in data['split'].items())
    return '\n'.join(
        [
            f'{dst}: {len(clips)} clips ({split}), {pairs} of them of two persons',
            f'{min(frames)} to {max(frames)} frames, {np.mean(frames):.0f} on '
            f'average; {len(data["class_names"])} classes: ' + ', '.join(data['class_names']),
        ]
    )


def main() -> None:
    """Make the data and write it."""
    args = parse_args()
    try:
        data = make_annotations(args.clips_per_class, args.subjects, args.seed)
    except ValueError as error:
        raise SystemExit(f'make_demo.py: {error}') from error
    write(data, args.dst)
    print_log(summary(data, args.dst))


if __name__ == '__main__':
    main()
