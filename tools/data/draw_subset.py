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
    parser.add_argument('ann', help='annotation file')
    parser.add_argument('split', help='its split, such as xsub_train')
    parser.add_argument('dst_dir', help='folder for the index files')
    parser.add_argument(
        '--percent',
        type=float,
        nargs='+',
        default=[1, 10],
        help='shares of the split (default: 1 10)',
    )
    parser.add_argument('--draws', type=int, default=5, help='files a share (default: 5)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--balanced',
        action='store_true',
        help='the same number of clips of each class, up to one; by default '
        'classes are drawn as often as they occur',
    )
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
