"""Evaluates and draws a run of a config: ``stars-mm report`` of its work dir.

python tools/analysis/make_report.py configs/stars_demo.py
"""

import argparse
from pathlib import Path

from stars_mm.cli.report import add_options, write_report


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate and draw the stages of a run')
    parser.add_argument('config', type=Path, help='config file that was trained')
    text = 'where tools/train.py left the run (default: work_dirs/<name of the config>)'
    parser.add_argument('--work-dir', type=Path, help=text)
    add_options(parser)
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    args.work_dir = args.work_dir or Path('work_dirs') / args.config.stem
    write_report(args, args.config.stem)


if __name__ == '__main__':
    main()
