"""Writes the demo data: skeleton actions of a kinematic body model.

The model and its sources are described in ``stars_mm.demo``.
"""

import argparse
from collections import Counter

import numpy as np
from mmengine.logging import print_log

from stars_mm.demo import make_annotations
from stars_mm.preparation.annotation_file import check_suffix, save_annotations


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('dst', help='annotation file (.pkl or .npz)')
    parser.add_argument('--clips-per-class', type=int, default=72)
    parser.add_argument(
        '--subjects', type=int, default=18, help='people; every third one is for validation'
    )
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if args.seed < 0:
        parser.error(f'--seed {args.seed} has to be 0 or more')
    return args


def main() -> None:
    """Makes the data, writes it, and says what it is."""
    args = parse_args()
    try:
        check_suffix(args.dst)
        data = make_annotations(args.clips_per_class, args.subjects, args.seed)
    except ValueError as error:
        raise SystemExit(f'make_demo.py: {error}') from error
    clips, splits = data.pop('annotations'), data.pop('split')
    save_annotations(args.dst, clips, splits, layout='ntu-25', **data)
    frames = [clip['total_frames'] for clip in clips]
    pairs = Counter(clip['keypoint'].shape[0] for clip in clips)[2]
    counts = ', '.join(f'{name} {len(names)}' for name, names in splits.items())
    print_log(
        f'{args.dst}: {len(clips)} clips ({counts}), {pairs} of them of two persons\n'
        f'{min(frames)} to {max(frames)} frames, {np.mean(frames):.0f} on average; '
        f'{len(data["class_names"])} classes: {", ".join(data["class_names"])}'
    )


if __name__ == '__main__':
    main()
