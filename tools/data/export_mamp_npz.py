"""Writes a split of an annotation file as the arrays of MAMP's and STARS's authors.

    python tools/data/export_mamp_npz.py ntu60_3d.pkl NTU60_XSub.npz

The way from theirs to ours is ``convert.py NTU60_XSub.npz ntu60.pkl --reader mamp-npz``.
"""

import argparse
import sys

import stars_mm  # noqa: F401  (makes mmaction2 importable)
from stars_mm.datasets.transforms import CenterSkeleton
from stars_mm.preparation.annotation_file import load_annotations, select_split
from stars_mm.preparation.clip_faults import check_clips, check_labels
from stars_mm.preparation.mamp_export import write_npz
from stars_mm.preparation.readers.mamp_npz import PARTS, PROTOCOLS, choose_protocol, parse_file_name


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('src', help='annotation file, a .pkl or .npz')
    add('dst', help='the .npz to write, such as NTU60_XSub.npz')
    add('--protocol', choices=PROTOCOLS, help='the splits (default: as the name of DST says)')
    add('--num-classes', type=int, help='(default: as the name of DST says)')
    add(
        '--pad',
        choices=('zero', 'loop'),
        help='what stands for an absent second person: zeros, '
        'or the first again (default: loop for NTU120_*.npz, else zero)',
    )
    add('--frames', type=int, default=300, help='frames a clip (default: %(default)s)')
    add(
        '--center',
        type=int,
        metavar='JOINT',
        help="put this joint of the first actor's first "
        "frame at the origin; the authors' files of NTU RGB+D have it at 1",
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> str:
    """Writes the file; says how many clips it has."""
    if not args.dst.endswith('.npz'):
        raise ValueError(f"{args.dst}: does not end in .npz, as the authors' files do.")
    named = parse_file_name(args.dst)
    protocol, num_classes = choose_protocol(args.dst, args.protocol), args.num_classes
    num_classes = num_classes or named.num_classes
    if num_classes is None:
        raise ValueError(
            f'{args.dst}: does not say in its name which data set it is. Give --num-classes.'
        )
    annotations, splits = load_annotations(args.src)
    parts = {}
    for part, ours in PARTS.items():
        clips, missing = select_split(annotations, splits, f'{protocol}_{ours}', args.src)
        check_labels(clips, num_classes, False, args.src)
        parts[part], _ = check_clips(clips, missing, 'error', args.src)
        if args.center is not None:
            parts[part] = [CenterSkeleton(args.center)(dict(clip)) for clip in parts[part]]
    write_npz(args.dst, parts, num_classes, args.frames, args.pad or named.pad)
    counts = ', '.join(f'{part}: {len(clips)} clips' for part, clips in parts.items())
    return f'{counts}; classes: {num_classes}\nwritten to {args.dst}'


def main(argv=None) -> None:
    try:
        print(run(parse_args(argv)))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
