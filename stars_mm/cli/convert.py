"""Makes an annotation file of recordings: a published data set, or one's own.

    stars-mm convert all_sqe.zip data/skeleton/nw-ucla.pkl --reader nw-ucla
    stars-mm convert recordings data/skeleton/custom.pkl \\
        --layout coco-17 --pattern '{label}/{subject}_{take}'

SRC is a folder or zip as the data set is distributed; for --reader folder, one with one .csv, .tsv,
.npy or .json a clip, mmpose's predictions of videos included. docs/own-recordings.md explains the
formats and how to write a reader. An interrupted conversion goes on when it is started again.
"""

import argparse
import os.path as osp
import signal
import sys

from mmengine.config import DictAction

import stars_mm
from stars_mm.preparation.clip_conversion import ConversionOptions
from stars_mm.preparation.conversion_report import ConversionReport
from stars_mm.preparation.convert import convert
from stars_mm.preparation.layouts import get_layout, known_layouts
from stars_mm.preparation.layouts.layout import UNITS
from stars_mm.preparation.readers.lookup import call_reader, get_reader, known_readers
from stars_mm.preparation.readers.tables import CHANNELS
from stars_mm.preparation.splits import SplitRule
from stars_mm.utils.input_error import reading
from stars_mm.utils.installation import all_cores

#: Options that are handed to the reader, where they are given.
READER_OPTIONS = ('layout', 'pattern', 'index', 'channels', 'num_person')


def read_classes(given: list[str] | None) -> list[str] | None:
    """The classes of --classes, those of a file a line each."""
    if given is None or len(given) > 1 or not osp.isfile(given[0]):
        return given
    with reading(given[0]), open(given[0], encoding='utf-8') as file:
        return [line.strip() for line in file if line.strip()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('src', help='folder or zip of recordings')
    add('dst', help='the annotation file to write, a .pkl or .npz')
    add(
        '--reader',
        default='folder',
        help=f'{", ".join(known_readers())}, or a file and its function, my_reader.py:read '
        '(default: %(default)s)',
    )
    add(
        '--reader-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='further arguments of the reader, such as outside=cut or max_frames=0 of pku1 and '
        'pku2, protocol=xsub or pad=loop of mamp-npz',
    )
    known = f'{", ".join(known_layouts())}, or a .json or .yml file'
    add('--layout', help=f'the joints, where the data set does not say: {known}')
    add('--workers', type=int, default=all_cores(), help='processes (default: one a core)')
    numbers = "in the order of their numbers (default: the data set's, or sorted)"
    add('--classes', nargs='+', help=f'the classes, or a file with one a line, {numbers}')
    add = parser.add_argument_group('what a clip is (readers "folder" and "mmpose")').add_argument
    add(
        '--pattern',
        help="where label and subject stand in a clip's path, such as "
        "'{label}/{subject}_{take}' or 'a{label}_s{subject}_*'; by default the label is the name "
        'of its folder, and in a folder without folders there is none',
    )
    add('--index', help='CSV with the column name and any of label,subject,split,camera')
    add('--channels', choices=CHANNELS, help='the numbers of a joint, c being its confidence')
    add('--num-person', type=int, help="persons to keep of mmpose's predictions (default: 2)")
    add = parser.add_argument_group('which clips test').add_argument
    add('--train-subjects', nargs='+', metavar='SUBJECT')
    add('--val-subjects', nargs='+', metavar='SUBJECT')
    add('--val-cameras', nargs='+', metavar='CAMERA')
    default = 'default: 0.3 where nothing else says what tests'
    add('--val-fraction', type=float, help=f'part of the subjects, drawn at random ({default})')
    over = ('subject', 'clip')
    add('--split-over', choices=over, default=over[0], help='draw subjects, or clips of each class')
    add('--seed', type=int, default=0, help='of the draw')
    add = parser.add_argument_group('what is done to clips').add_argument
    add('--unit', choices=UNITS, help='of the coordinates; cm and mm become metres')
    add('--up', choices=('y', 'z'), default='y', help='the axis upwards (default: %(default)s)')
    about = 'what to do about %s (default: %%(default)s)'
    ways = ('error', 'interpolate')
    add('--missing', choices=ways, default='error', help=about % 'missing joints')
    add('--no-scores', action='store_true', help='leave out confidences')
    ways = ('error', 'drop')
    add('--invalid', choices=ways, default='error', help=about % 'clips that cannot be used')


def run(args: argparse.Namespace) -> ConversionReport:
    """Converts as the command line says."""
    if args.reader not in known_readers():
        stars_mm.register()  # whose file may use what `import stars_mm` gives
    reader = get_reader(args.reader)
    layout = get_layout(args.layout) if args.layout else None
    given = dict(vars(args), layout=layout if args.reader in ('folder', 'mmpose') else None)
    options = {key: given[key] for key in READER_OPTIONS if given[key] is not None}
    options.update(args.reader_options)
    over, fraction = args.split_over, args.val_fraction
    subjects = (args.train_subjects, args.val_subjects)
    split = SplitRule(*subjects, args.val_cameras, fraction, over, args.seed)
    return convert(
        call_reader(reader, args.src, options),
        args.dst,
        layout,
        split,
        ConversionOptions(args.unit, args.up, args.missing, not args.no_scores, args.invalid),
        read_classes(args.classes),
        provenance=dict(
            source=osp.basename(osp.abspath(args.src)),
            reader=osp.basename(args.reader),
            reader_options={key: value for key, value in options.items() if key != 'layout'},
        ),
        workers=args.workers,
    )


def main(args: argparse.Namespace) -> None:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        report = run(args)
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        print(
            f'\ninterrupted. Give the command again to go on; what is done is in '
            f'{args.dst}.unfinished',
            file=sys.stderr,
        )
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f'{report.as_text()}\nwritten to {args.dst}')
