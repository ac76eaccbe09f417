"""Writes a page to look at of a training.

    stars-mm report work_dirs/stars_custom

WORK_DIR is the --work-dir of a training: the config that mmengine left there, the last checkpoint
of each stage and the logs are all that is needed. Leaves report.html, a page that needs no other
file and no network, results.json, results.md and pictures in WORK_DIR/report.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from stars_mm.engine.runner.config_check import check_options
from stars_mm.evaluation.protocols.trained_stages import trained_cfg
from stars_mm.visualization.report import make_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('work_dir', type=Path, help='the --work-dir of a training')
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options that ``tools/analysis/make_report.py`` has, too."""
    add = parser.add_argument
    add('--out', type=Path, help='folder of the report (default: WORK_DIR/report)')
    text = 'of the random encoder, of k-means, t-SNE, draws and masks (default: 0)'
    add('--seed', type=int, default=0, help=text)
    text = 'leave out raw coordinates, which keep every clip in memory (NTU-60: some 10 GB)'
    add('--no-raw', action='store_true', help=text)
    options = dict(nargs='+', action=DictAction, default={}, metavar='KEY=VALUE')
    add('--cfg-options', help='changes of the config, as where data were moved', **options)


def main(args: argparse.Namespace, config: str = '*') -> None:
    """Write the report of ``args.work_dir``, of the config of a name that was trained there, or the
    newest."""
    MMLogger.get_instance('report')
    cfg = trained_cfg(args.work_dir, config)
    check_options(args.cfg_options, cfg)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    folder = args.out or args.work_dir / 'report'
    make_report(cfg, args.work_dir, folder, args.command_line, args.seed, raw=not args.no_raw)
