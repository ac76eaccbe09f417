"""Name the actions of recordings by what `stars-mm learn` has learned.

    stars-mm recognize actions.npz recordings/new.csv
    stars-mm recognize actions.npz recordings --json found.json

INPUT is a recording's file, a folder or zip of such, or an annotation file. The joints are those
of the examples, where neither the input nor --layout says others.
"""

import argparse
import json

from stars_mm.apis import FewShotRecognizer
from stars_mm.cli.reading import add_reading, reading
from stars_mm.utils.atomic import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('actions', metavar='ACTIONS.npz', help='what stars-mm learn wrote')
    add('inputs', nargs='*', metavar='INPUT', help='recordings')
    add('--json', metavar='OUT', help='write what was found as JSON')
    add_reading(parser)


def main(args: argparse.Namespace) -> None:
    recognizer = FewShotRecognizer.load(args.actions)
    if not args.inputs:
        raise ValueError('INPUT: give a recording, a folder of recordings or an annotation file.')
    found = recognizer(args.inputs, **reading(args))
    width = max(len(one['name']) for one in found)
    for one in found:
        label = one['label'] if one['known'] else f'none of these (nearest: {one["label"]})'
        print(f'{one["name"]:{width}}  {one["score"]:.2f}  {label}')
    if args.json:
        write_text(args.json, json.dumps(found, indent=1) + '\n')
