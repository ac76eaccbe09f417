"""Adds up the scores of several streams, clip by clip.

Each file is what ``tools/test.py CONFIG CHECKPOINT --dump FILE.pkl`` wrote, for a classifier or for
a config with nearest-neighbour metrics, or an .npz that this tool wrote.
"""

import argparse
import json
from pathlib import Path

import stars_mm  # noqa: F401  checks the versions
from stars_mm.evaluation.functional.fusion import accuracies, fuse
from stars_mm.evaluation.score_files import read_scores, write_scores
from stars_mm.utils.atomic import write_text
from stars_mm.utils.markdown import markdown_table


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Fuse the scores of several streams, keyed by clip name'
    )
    add = parser.add_argument
    add('scores', nargs='+', help='one score file a stream')
    add('--weights', nargs='+', type=float, help='weight of each stream (default: 1)')
    text = 'turn scores into probabilities first: for logits of different scale'
    add('--softmax', action='store_true', help=text)
    add('--json', type=Path, help='write the accuracies here')
    add('--out', type=Path, help='write the fused scores here (.npz)')
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    streams = [read_scores(path) for path in args.scores]
    fused = fuse(streams, args.weights, args.softmax)
    rows = {stream.source: accuracies(stream) for stream in streams}
    rows['fused'] = accuracies(fused)
    lines = [['scores', *rows['fused']]]
    lines += [[row, *(f'{value:.2f}' for value in found.values())] for row, found in rows.items()]
    print(markdown_table(lines))
    if args.json:
        weights = args.weights or [1.0] * len(streams)
        meta = dict(clips=len(fused.names), weights=weights, softmax=args.softmax)
        write_text(args.json, json.dumps(dict(rows, meta=meta), indent=2) + '\n')
    if args.out:
        write_scores(args.out, fused)


if __name__ == '__main__':
    main()
