"""What training and testing share: options, the config, the runner."""

import argparse
from pathlib import Path

from mmaction.registry import RUNNERS
from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from stars_mm.engine.runner.checked_runner import named
from stars_mm.engine.runner.config_check import check_config, check_options
from stars_mm.utils.package_files import find_config


def add_running(parser: argparse.ArgumentParser) -> None:
    """Add the options of mmaction2's ``train.py`` and ``test.py`` alike."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='settings that replace those of the config: a.b=1, a.b="[1,2]", a.0.b=x',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def read_config(args: argparse.Namespace) -> Config:
    """The config file with ``--cfg-options``, the launcher, and a folder to work in; a ValueError
    where an option would be read by nothing."""
    cfg = Config.fromfile(find_config(args.config))
    check_options(args.cfg_options, cfg)
    with named(cfg, '--cfg-options'):
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """The runner that the config names, mmengine's where it names none."""
    if 'runner_type' in cfg:
        with named(cfg, 'runner_type'):
            return RUNNERS.build(cfg)
    check_config(cfg)
    return Runner.from_cfg(cfg)
