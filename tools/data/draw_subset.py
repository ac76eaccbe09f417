"""Draws clips at random whose labels a semi-supervised training may use.

Leaves one index file for each share and draw, for SkeletonDataset(subset=…):
a name a line, below comments that say where it is from.
"""

import argparse
import sys

import stars_mm  # noqa: F401  (makes mmaction2 importable)
from stars_mm.datasets.clip_selection import read_subset
from stars_mm.datasets.label_subsets import write_subsets


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('ann', help='annotation file')
    add('split', help='its split, such as xsub_train')
    add('dst_dir', help='folder for the index files')
    shares = 'shares of the split (default: 1 10)'
    add('--percent', type=float, nargs='+', default=[1, 10], help=shares)
    add('--draws', type=int, default=5, help='files a share (default: 5)')
    add('--seed', type=int, default=0)
    balanced = (
        'the same number of clips of each class, up to one; by default as often as they occur'
    )
    add('--balanced', action='store_true', help=balanced)
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    try:
        for percent in args.percent:
            for path in write_subsets(
                args.ann, args.split, args.dst_dir, percent, args.draws, args.seed, args.balanced
            ):
                print(f'{path}: {len(read_subset(path))} clips')
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
