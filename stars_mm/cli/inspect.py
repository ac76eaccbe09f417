"""Validates and describes an annotation file.

Prints its splits, classes, lengths and persons, what no training can use
(faults), and what looks wrong (warnings).

Exit status: 0 if it is sound, 1 if it has faults (with --strict, warnings
too), 2 if it cannot be read or the command is wrong.
"""

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from subprocess import CalledProcessError

from stars_mm.preparation.annotation_file import load_annotations
from stars_mm.preparation.inspection import as_text, inspect_annotations
from stars_mm.preparation.layouts import joint_parents, stored_layout
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.progress import progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('file', help='annotation file')
    add('--json', type=Path, metavar='OUT', help='write the findings there')
    pictures = 'draw lengths, classes and moving samples there'
    add('--pictures', type=Path, metavar='FOLDER', help=pictures)
    default = "by default the file's own layout, or the one with as many joints"
    add('--layout', help=f'bones to draw, such as nturgb+d; {default}')
    add('--strict', action='store_true', help='exit with 1 on warnings too')


def check_arguments(args: argparse.Namespace) -> None:
    if args.json and args.json.resolve() == Path(args.file).resolve():
        raise ValueError(f'--json {args.json}: is the annotation file itself')
    if args.layout:
        joint_parents(args.layout)  # names those that are known


def choose_bones(report, args, extra):
    """Bones of --layout, of the file's layout, or by the number of joints."""
    from stars_mm.visualization.skeleton import bones_of

    num_joints = next(iter(report.shapes), (0, 0))[0]
    if args.layout is not None:
        return bones_of(num_joints, args.layout)
    try:
        return bones_of(num_joints, stored_layout(extra, args.file))
    except ValueError as error:
        print(f'layout of the file: {error}\njoints are drawn as dots', file=sys.stderr)
        return ()


def run(args):
    """Inspects, prints and writes; gives the exit status."""
    extra = {}
    annotations, splits = load_annotations(args.file, extra)
    try:
        layout = stored_layout(extra, args.file)
    except ValueError:  # said where bones are drawn
        layout = None
    track = partial(progress, what='clips inspected')
    report = inspect_annotations(
        annotations, splits, extra.get('class_names'), args.file, track, unit=layout and layout.unit
    )
    print(as_text(report))
    if args.json:
        with written_whole(args.json) as unfinished:
            unfinished.write_text(json.dumps(report.as_dict(), indent=2) + '\n')
    if args.pictures:
        from stars_mm.visualization.annotation_pictures import draw_inspection

        bones = choose_bones(report, args, extra)
        for path in draw_inspection(report, annotations, args.pictures, bones):
            print(f'picture: {path}')
    return int(bool(report.faults or args.strict and report.warnings))


def main(args: argparse.Namespace) -> int:
    if hasattr(sys.stdout, 'reconfigure'):
        sys.stdout.reconfigure(errors='replace')
    try:
        check_arguments(args)
        return run(args)
    except CalledProcessError as error:
        print(f'error: ffmpeg wrote no MP4 ({error})', file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        print('\ninterrupted', file=sys.stderr)
        return 130
    return 2
