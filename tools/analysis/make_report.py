"""Writes the report of a config's run: ``stars-mm report`` of its work dir.

python tools/analysis/make_report.py configs/stars_demo.py
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from stars_mm.cli import report
from stars_mm.cli.main import without_traceback


def parse_args(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write the report of a run')
    parser.add_argument('config', type=Path, help='config file that was trained')
    text = 'where tools/train.py left the run (default: work_dirs/<name of the config>)'
    parser.add_argument('--work-dir', type=Path, help=text)
    report.add_options(parser)
    args = parser.parse_args(argv)
    args.work_dir = args.work_dir or Path('work_dirs') / args.config.stem
    args.command_line = shlex.join(['python', sys.argv[0], *argv])
    return args


def main(argv: Sequence[str] | None = None) -> int | None:
    args = parse_args(sys.argv[1:] if argv is None else argv)
    return without_traceback(lambda: report.main(args, args.config.stem))


if __name__ == '__main__':
    sys.exit(main())
