"""Makes an annotation file of one's own recordings.

    python tools/data/convert.py recordings data/skeleton/custom.pkl \\
        --layout coco-17 --pattern '{label}/{subject}_{take}'

SRC is a folder with one .csv, .tsv, .npy or .json a clip, mmpose's predictions of videos included,
or what --reader reads. docs/own-recordings.md explains the formats and how to write a reader.
"""

import argparse
import os.path as osp
import signal
import sys
from collections import Counter

import numpy as np
from mmengine.config import DictAction

import stars_mm  # noqa: F401  (makes mmaction2 importable)
from stars_mm.preparation.convert import Options, Result, convert
from stars_mm.preparation.layouts import get_layout, known_layouts
from stars_mm.preparation.layouts.layout import UNITS
from stars_mm.preparation.readers.lookup import call_reader, get_reader, known_readers
from stars_mm.preparation.readers.tables import CHANNELS
from stars_mm.preparation.splits import SplitRule


def summary(result: Result) -> str:
    """Counts clips by class and split, frames, and what was left out."""
    counts = {
        split: Counter(result.clips[name][0] for name in names)
        for split, names in result.splits.items()
    }
    width = max(map(len, ('class', *result.class_names)))
    lines = [f'{"class":{width}}   ' + ' '.join(f'{split:>12}' for split in counts)]
    for label, name in enumerate(result.class_names):
        lines.append(
            f'{name:{width}}   ' + ' '.join(f'{count[label]:12}' for count in counts.values())
        )
    lines.append(
        f'{"all":{width}}   ' + ' '.join(f'{len(names):12}' for names in result.splits.values())
    )
    frames = np.array([number for _, number in result.clips.values()])
    lines.append(f'clips: {len(frames)}')
    lines.append(
        f'frames: {frames.min()} to {frames.max()} a clip, '
        f'{frames.mean():.1f} on average, {frames.sum()} in all'
    )
    lines += [f'{what}: {number}' for what, number in result.counts.items()]
    lines.append(f'dropped: {len(result.dropped)} clips')
    lines += [f'  {name}: {why}' for name, why in result.dropped.items()]
    lines += [
        f'note: {split} has no clip of {result.class_names[label]!r}'
        for split, count in counts.items()
        for label in range(len(result.class_names))
        if not count[label]
    ]
    return '\n'.join(lines)


def read_classes(given: list[str] | None) -> list[str] | None:
    """The classes of --classes, those of a file a line each."""
    if given is None or len(given) > 1 or not osp.isfile(given[0]):
        return given
    with open(given[0], encoding='utf-8') as file:
        return [line.strip() for line in file if line.strip()]


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='folder of recordings')
    parser.add_argument('dst', help='the annotation file to write, a .pkl or .npz')
    parser.add_argument(
        '--layout',
        required=True,
        help=f'the joints: {", ".join(known_layouts())}, or a .json or .py file',
    )
    parser.add_argument(
        '--reader',
        default='folder',
        help=f'{", ".join(known_readers())}, or '
        'a file and its function, my_reader.py:read (default: %(default)s)',
    )
    parser.add_argument(
        '--reader-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='further arguments of the reader',
    )
    facts = parser.add_argument_group('what a clip is (reader "folder")')
    facts.add_argument(
        '--pattern',
        help="where label and subject stand in a clip's path, "
        "such as '{label}/{subject}_{take}' or 'a{label}_s{subject}_*'; by "
        'default the label is the name of its folder',
    )
    facts.add_argument(
        '--index', help='CSV with the columns name,label and any of subject,split,camera'
    )
    facts.add_argument(
        '--channels',
        choices=CHANNELS,
        help='the numbers of a joint, c being '
        'its confidence (default: as a header or the layout says)',
    )
    facts.add_argument(
        '--num-person',
        type=int,
        default=2,
        help="persons to keep of mmpose's predictions (default: %(default)s)",
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        help='the classes in the order of their '
        'numbers, or a file with one a line (default: sorted)',
    )
    split = parser.add_argument_group('which clips test')
    split.add_argument('--train-subjects', nargs='+', metavar='SUBJECT')
    split.add_argument('--val-subjects', nargs='+', metavar='SUBJECT')
    split.add_argument('--val-cameras', nargs='+', metavar='CAMERA')
    split.add_argument(
        '--val-fraction',
        type=float,
        help='part of the subjects, drawn at '
        'random (default: 0.3 where nothing else says what tests)',
    )
    split.add_argument(
        '--split-over',
        choices=('subject', 'clip'),
        default='subject',
        help='draw among subjects or, of each class, among clips',
    )
    split.add_argument('--seed', type=int, default=0, help='of the draw')
    data = parser.add_argument_group('what is done to clips')
    data.add_argument(
        '--unit',
        choices=UNITS,
        help="of the coordinates, where not the layout's; cm and mm become metres",
    )
    data.add_argument(
        '--up',
        choices=('y', 'z'),
        default='y',
        help='the axis that points upwards (default: %(default)s)',
    )
    data.add_argument(
        '--missing',
        choices=('error', 'interpolate'),
        default='error',
        help='what to do about missing joints (default: %(default)s)',
    )
    data.add_argument('--no-scores', action='store_true', help='leave out confidences')
    data.add_argument(
        '--invalid',
        choices=('error', 'drop'),
        default='error',
        help='what to do about clips that cannot be used (default: %(default)s)',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> Result:
    """Converts as the command line says."""
    layout, reader = get_layout(args.layout), get_reader(args.reader)
    reader_options = dict(args.reader_options)
    if args.reader == 'folder':
        reader_options = dict(
            dict(
                pattern=args.pattern,
                index=args.index,
                layout=layout,
                channels=args.channels,
                num_person=args.num_person,
            ),
            **reader_options,
        )
    elif args.pattern or args.index or args.channels:
        raise ValueError(
            '--pattern, --index and --channels are for the '
            'reader "folder"; another one takes '
            '--reader-options.'
        )
    recordings = call_reader(reader, args.src, reader_options)
    return convert(
        recordings,
        args.dst,
        layout,
        SplitRule(
            args.train_subjects,
            args.val_subjects,
            args.val_cameras,
            args.val_fraction,
            args.split_over,
            args.seed,
        ),
        Options(args.unit, args.up, args.missing, not args.no_scores, args.invalid),
        read_classes(args.classes),
        provenance=dict(
            source=osp.basename(osp.abspath(args.src)),
            reader=osp.basename(args.reader),
            reader_options={
                key: value
                for key, value in reader_options.items()
                if key != 'layout' and value is not None
            },
        ),
    )


def main(argv=None) -> None:
    args = parse_args(argv)
    try:
        result = run(args)
    except (OSError, ValueError) as error:
        sys.exit(f'\nerror: {error}')
    except KeyboardInterrupt:
        print(f'\ninterrupted; {args.dst} is not written', file=sys.stderr)
        sys.exit(130)
    print(f'\n{summary(result)}\nwritten to {args.dst}')


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
