"""Name the actions of recordings by what `stars-mm learn` has learned.

    stars-mm recognize actions.npz recordings/new.csv
    stars-mm recognize actions.npz recordings --json found.json
    stars-mm recognize actions.npz long.csv --segments --fps 30
    camera | stars-mm recognize actions.npz --stream

INPUT is a recording's file, a folder or zip of such, or an annotation file. The joints are those
of the examples, where neither the input nor --layout says others.

--segments says what is done when in recordings of several actions. --stream reads frames from
standard input, a line of JSON each, and writes a line of JSON when what is done changes:

    {"keypoints": [[x, y, z], ...]}               one person; a list of such for several
    {"instances": [{"keypoints": ...}, ...]}      as mmpose gives them
    {"time": 0.033, "keypoints": ...}             seconds; by default frames are counted
"""

import argparse
import json
import os
import sys
from typing import TextIO

from stars_mm.cli.reading import add_reading, reading
from stars_mm.utils.atomic import write_text
from stars_mm.utils.input_error import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('actions', metavar='ACTIONS.npz', help='what stars-mm learn wrote')
    add('inputs', nargs='*', metavar='INPUT', help='recordings')
    add('--segments', action='store_true', help='what is done when, in recordings of much')
    add('--stream', action='store_true', help='read frames from standard input')
    add('--fps', type=float, help='frames a second of the recordings, or the stream (30)')
    add('--json', metavar='OUT', help='write what was found as JSON')
    add_reading(parser)


def main(args: argparse.Namespace) -> None:
    from stars_mm.apis import FewShotRecognizer

    if args.stream:
        if args.inputs or args.segments or args.json:
            raise ValueError('--stream: takes no INPUT, --segments or --json.')
        watch(args, sys.stdin)
        return
    if not args.inputs:
        raise ValueError('INPUT: give a recording, a folder of recordings or an annotation file.')
    recognizer = FewShotRecognizer.load(args.actions)
    if args.segments:
        found = recognizer.segments(args.inputs, args.fps, **reading(args))
    else:
        found = recognizer(args.inputs, **reading(args))
    width = max((len(one['name']) for one in found), default=0)
    for one in found:
        when = ''
        if args.segments:
            kind = 'begin', 'end'
            begin, end = (one.get(f'{key}_time', one[key]) for key in kind)
            when = f'{begin:8g} {end:8g}  '
        label = one['label']
        if not one.get('known', True):
            label = f'none of these (nearest: {label})'
        name = printable(one['name'])
        print(f'{name:{width}}  {when}{one["score"]:.2f}  {printable(label)}')
    if not found:
        print('none of the actions')
    if args.json:
        write_text(args.json, json.dumps(found, indent=1) + '\n')


def watch(args: argparse.Namespace, stream: TextIO) -> None:
    """Read frames until they end, and write what is done when it changes."""
    import torch

    from stars_mm.apis import FewShotRecognizer, LiveRecognizer
    from stars_mm.apis.frame_lines import parse_frame, read_lines

    options = reading(args)
    unknown = set(options) - {'layout', 'unit', 'up'}
    if unknown:
        raise ValueError(f'--stream: takes no --{" --".join(sorted(unknown))}.')
    # A second thread gains little on clips one by one, and loses much beside a pose estimator.
    torch.set_num_threads(1)
    live = LiveRecognizer(FewShotRecognizer.load(args.actions), args.fps or 30, **options)
    print(f'recognizes {len(live.recognizer.classes)} actions', file=sys.stderr, flush=True)
    if hasattr(stream, 'reconfigure'):  # a byte that is no text ends its line alone
        stream.reconfigure(errors='replace')
    try:
        for number, line in enumerate(read_lines(stream), 1):
            if not line.strip():
                continue
            try:
                frame = parse_frame(line, live.layout.num_joints)
                change = live.push(frame.keypoints, frame.time, frame.scores)
            except ValueError as error:
                print(f'line {number} is left out: {error}', file=sys.stderr, flush=True)
                continue
            if change is not None:
                print(json.dumps(change), flush=True)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # whoever read has gone; Python would write what is left at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
