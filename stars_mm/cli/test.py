"""Tests a checkpoint.

The options are those of mmaction2's ``test.py``. ``--cfg-options`` is merged
first, so that what the other options say holds.
"""

import argparse
import os

from mmengine.config import Config

from stars_mm.cli.running import add_running, build_runner, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of mmaction2's tool, and ours."""
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir', help='where the metrics go (default: work_dirs/<name of the config>)'
    )
    text = 'file for the predictions: a .json with names, or a .pkl of the data samples'
    parser.add_argument('--dump', metavar='FILE', help=text)
    parser.add_argument('--show-dir', help='folder for pictures of results')
    parser.add_argument('--show', action='store_true', help='show the pictures in a window')
    parser.add_argument('--interval', type=int, default=1, help='draw every n-th sample')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds a window stays')
    add_running(parser)


def load_config(args: argparse.Namespace) -> Config:
    """The config file with what the command line says."""
    cfg = read_config(args)
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir is not None:
        draw_results(cfg, args)
    if args.dump is not None:
        dump_predictions(cfg, args.dump)
    return cfg


def draw_results(cfg: Config, args: argparse.Namespace) -> None:
    if 'visualization' not in cfg.get('default_hooks', {}):
        raise ValueError(
            f'--show, --show-dir: {args.config} has no '
            'default_hooks.visualization; give it '
            'visualization=dict(type="VisualizationHook")'
        )
    cfg.default_hooks.visualization.update(
        enable=True,
        show=args.show,
        out_dir=args.show_dir,
        interval=args.interval,
        wait_time=args.wait_time,
    )


def dump_predictions(cfg: Config, path: str) -> None:
    from stars_mm.evaluation.metrics import dump_metric

    metric = dump_metric(path, cfg.test_cfg)
    evaluators = cfg.test_evaluator
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators]
    cfg.test_evaluator = [*evaluators, metric]


def main(args: argparse.Namespace) -> None:
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    build_runner(load_config(args)).test()
