"""Trains a model.

The options are those of mmaction2's ``train.py``. ``--cfg-options`` is merged
first, so that what the other options say holds.
"""

import argparse
import os

from mmengine.config import Config
from mmengine.logging import print_log

from stars_mm.cli.running import add_running, build_runner, read_config
from stars_mm.engine.runner.last_checkpoint import latest_checkpoint
from stars_mm.engine.runner.pretrain_length import (
    pretrain_epochs_in_environment,
    set_pretrain_epochs,
)
from stars_mm.engine.runner.run_record import check_same_start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of mmaction2's tool, and ours."""
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='where logs and checkpoints go (default: work_dirs/<name of the config>)'
    )
    parser.add_argument(
        '--pretrain-epochs',
        type=int,
        metavar='N',
        help='pretrain for so many epochs (stage 1 of a recipe): its schedule is stretched, and '
        'what the config derives from it; the first line says what it comes to',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint, or from the last one in the work '
        'directory where none is named',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate during training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the ratio of the actual total batch '
        "to the config's auto_scale_lr.base_batch_size",
    )
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='another seed on every process'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='deterministic algorithms, which may be slower'
    )
    add_running(parser)


def load_config(args: argparse.Namespace) -> Config:
    """The config file with what the command line says."""
    with pretrain_epochs_in_environment(args.pretrain_epochs):
        cfg = read_config(args)
    if args.pretrain_epochs is not None:
        print_log(f'--pretrain-epochs: {set_pretrain_epochs(cfg, args.pretrain_epochs)}')

    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume is not None:
        cfg.resume = True
        if args.resume != 'auto':
            cfg.load_from = args.resume
        else:
            start, cfg.load_from = cfg.get('load_from'), None
            done = latest_checkpoint(cfg.work_dir) if start else None
            if done:
                check_same_start(done, start)
            elif start:  # not begun yet
                cfg.resume, cfg.load_from = False, start
    if args.amp:
        use_mixed_precision(cfg)
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise ValueError(
                f'--auto-scale-lr: {args.config} has no auto_scale_lr, which '
                'says the batch that its learning rate is for'
            )
        cfg.auto_scale_lr.enable = True

    randomness = dict(cfg.get('randomness') or {})
    randomness.setdefault('seed', None)
    if args.seed is not None:
        randomness['seed'] = args.seed
    if args.diff_rank_seed:
        randomness['diff_rank_seed'] = True
    if args.deterministic:
        randomness['deterministic'] = True
    cfg.randomness = randomness
    return cfg


def use_mixed_precision(cfg: Config) -> None:
    wrapper = cfg.optim_wrapper
    kind = wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f'--amp: optim_wrapper.type is {kind!r}; only an OptimWrapper can '
            'be made an AmpOptimWrapper'
        )
    wrapper.type = 'AmpOptimWrapper'
    wrapper.setdefault('loss_scale', 'dynamic')


def main(args: argparse.Namespace) -> None:
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    build_runner(load_config(args)).train()
