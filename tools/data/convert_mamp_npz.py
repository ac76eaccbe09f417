"""Makes an annotation file of the arrays of MAMP and STARS, and goes back.

    python tools/data/convert_mamp_npz.py NTU60_XSub.npz ntu60_xsub.pkl
    python tools/data/convert_mamp_npz.py ntu60_3d.pkl NTU60_XSub.npz --to-npz

Our own format may be a .pkl or an .npz either way; the authors' .npz is told
from ours by the arrays in it.

The authors' files know no names of clips: positions become names (train_000000, ..., test_000000,
...), in x_train's and x_test's order. The coordinates stay as they are. Those of NTU RGB+D are
centred there already, and a second person who is absent is zeros in the files of NTU-60 and
PKU-MMD, the first person again in those of NTU-120; either is taken away here.
"""

import argparse
import os.path as osp
import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from mmengine.utils import track_iter_progress

import stars_mm
from stars_mm.datasets.transforms import CenterSkeleton
from stars_mm.preparation.annotation_file import (
    check_suffix,
    load_annotations,
    save_annotations,
    select_split,
)
from stars_mm.preparation.clip_faults import check_clips, check_labels
from stars_mm.preparation.flat_arrays import is_annotation_npz
from stars_mm.preparation.readers.mamp_npz import (
    PARTS,
    parse_file_name,
    read_clips,
    read_labels,
    write_npz,
)
from stars_mm.utils.weights_file import file_sha256

PROTOCOLS = ('xsub', 'xview', 'xset')
#: The last class of NTU-60: the later ones of 120 are novel to its models.
LAST_OF_60 = 60


def _protocol(args: argparse.Namespace, path: str) -> str:
    protocol = args.protocol or parse_file_name(path).protocol
    if protocol is None:
        raise ValueError(
            f'{path}: does not say in its name which split it '
            'is. Give --protocol xsub, xview or xset.'
        )
    return protocol


class Size(NamedTuple):
    """What the summary says of a clip."""

    name: str
    label: int
    persons: int
    frames: int


def _size(clip: dict) -> Size:
    return Size(
        clip.get('frame_dir', clip.get('filename')),
        clip['label'],
        len(clip['keypoint']),
        clip['total_frames'],
    )


def _make_splits(parts: dict[str, list[Size]], protocol: str, novel: bool) -> dict[str, list[str]]:
    splits = {
        f'{protocol}_{PARTS[part]}': [size.name for size in sizes] for part, sizes in parts.items()
    }
    if novel:
        for part, sizes in parts.items():
            splits[f'novel_{PARTS[part]}'] = [
                size.name for size in sizes if size.label >= LAST_OF_60
            ]
    return splits


def from_npz(args: argparse.Namespace) -> tuple[dict[str, list[Size]], str]:
    """Writes the annotation file of an ``.npz``.

    The clips are read twice, to be checked and to be written, because those
    of NTU RGB+D are too large to be held.
    """
    protocol = _protocol(args, args.src)
    named = parse_file_name(args.src)
    pad = args.pad or named.pad
    labels = read_labels(args.src)
    total = sum(map(len, labels.values()))

    def clips() -> Iterator[dict]:
        return track_iter_progress((read_clips(args.src, labels, pad), total))

    sizes = list(map(_size, clips()))
    empty = [size.name for size in sizes if not size.frames]
    if len(empty) == total:
        raise ValueError(f'{args.src}: all {total} clips are zero throughout. Get the file again.')
    parts = {
        part: [size for size in sizes if size.frames and size.name.startswith(f'{part}_')]
        for part in PARTS
    }
    splits = _make_splits(parts, protocol, protocol == 'xsub' and named.num_classes == 120)
    provenance = dict(
        source=osp.basename(args.src),
        made_by=f'stars_mm {stars_mm.__version__} convert_mamp_npz.py',
        options=dict(protocol=protocol, pad=pad),
        left_out={'zero throughout': len(empty)},
        sha256=file_sha256(args.src),
    )
    save_annotations(
        args.dst, (clip for clip in clips() if clip['total_frames']), splits, provenance=provenance
    )
    dropped = ''.join(f'\n  {name}: zero throughout' for name in empty)
    return parts, f'dropped: {len(empty)} clips{dropped}'


def to_npz(args: argparse.Namespace) -> tuple[dict[str, list[Size]], str]:
    """Writes the ``.npz`` of an annotation file."""
    protocol = _protocol(args, args.dst)
    named = parse_file_name(args.dst)
    num_classes = args.num_classes or named.num_classes
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
        center = CenterSkeleton(args.center)
        parts = {part: [center(dict(clip)) for clip in clips] for part, clips in parts.items()}
    write_npz(args.dst, parts, num_classes, args.frames, args.pad or named.pad)
    sizes = {part: list(map(_size, clips)) for part, clips in parts.items()}
    return sizes, f'classes: {num_classes}'


def summary(parts: dict[str, list[Size]]) -> str:
    """Counts clips, persons and frames by part."""
    lines = []
    for part, sizes in parts.items():
        frames = np.array([size.frames for size in sizes] or [0])
        persons = Counter(size.persons for size in sizes)
        lines.append(
            f'{part:5}: {len(sizes)} clips ({persons[1]} of one person, '
            f'{persons[2]} of two), {len({size.label for size in sizes})} '
            f'classes, {frames.min()} to {frames.max()} frames, '
            f'{frames.mean():.1f} on average, {frames.sum()} in all'
        )
    return '\n'.join(lines)


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help="the authors' .npz, or our .pkl or .npz")
    parser.add_argument('dst', help='the .pkl or .npz to write')
    parser.add_argument('--to-npz', action='store_true', help="from our format to the authors'")
    parser.add_argument(
        '--protocol', choices=PROTOCOLS, help="the split (default: as the .npz's name says)"
    )
    parser.add_argument(
        '--pad',
        choices=('zero', 'loop'),
        help='what stands in the .npz for an absent second person: zeros, or '
        'the first again (default: loop for NTU120_*.npz, else zero)',
    )
    parser.add_argument(
        '--num-classes', type=int, help="with --to-npz (default: as the .npz's name says)"
    )
    parser.add_argument(
        '--frames',
        type=int,
        default=300,
        help='with --to-npz: frames a clip (default: %(default)s)',
    )
    parser.add_argument(
        '--center',
        type=int,
        metavar='JOINT',
        help='with --to-npz: put the origin at this joint (from 0) of the '
        "first actor's first frame; the authors' files of NTU RGB+D have it "
        'at 1',
    )
    return parser.parse_args(argv)


def check_paths(args: argparse.Namespace) -> None:
    """Raises a ValueError where SRC and DST do not fit the direction."""
    ours, theirs = (args.src, args.dst) if args.to_npz else (args.dst, args.src)
    if not theirs.endswith('.npz'):
        raise ValueError(
            f"{theirs}: does not end in .npz, as the authors' "
            'files do. --to-npz goes from our format to theirs; '
            'without it, from theirs to ours.'
        )
    check_suffix(ours)
    if osp.exists(args.src) and osp.realpath(args.src) == osp.realpath(args.dst):
        raise ValueError(f'{args.dst}: is SRC as well. Give another name.')
    if not args.to_npz and osp.exists(theirs) and is_annotation_npz(theirs):
        raise ValueError(
            f'{theirs}: is an annotation file in our format '
            "already. To make the authors' arrays of it, give "
            '--to-npz.'
        )


def main(argv=None) -> None:
    args = parse_args(argv)
    try:
        check_paths(args)
        parts, done = (to_npz if args.to_npz else from_npz)(args)
    except (OSError, ValueError) as error:
        sys.exit(f'\nerror: {error}')
    except KeyboardInterrupt:
        sys.exit('\ninterrupted: nothing is written')
    print(f'\n{summary(parts)}\n{done}\nwritten to {args.dst}')


if __name__ == '__main__':
    main()
