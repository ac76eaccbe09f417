"""Evaluates a checkpoint by several protocols and writes one table.

    stars-mm evaluate configs/stars_nw-ucla_small.py \\
        work_dirs/stars_nw-ucla_small/epoch_3.pth \\
        --protocols knn clusters few-shot linear finetune semi-10 \\
        --json work_dirs/stars_nw-ucla_small/evaluation.json

Protocols: knn, clusters, ridge, few-shot (bank and query of the recipe, or of the config that it
names in protocols.fewshot; all beside what needs no learning and beside random weights), linear,
finetune, semi-1, semi-10 or any semi-<percent>, transfer (the configs that it names in
`protocols`). What is finished is read back when the command is given again.
"""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from stars_mm.engine.runner.config_check import check_options
from stars_mm.evaluation.protocols.evaluate import PROTOCOLS, evaluate
from stars_mm.evaluation.protocols.features import Encoder
from stars_mm.evaluation.protocols.protocol import Settings
from stars_mm.evaluation.protocols.results_table import results_page
from stars_mm.utils.package_files import find_config

# protocols whose configs take options, by the recipe's names for them
KINDS = ('linear', 'finetune', 'semi', 'transfer', 'fewshot')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('config', help='recipe: a config of MAMP or STARS')
    add('checkpoint', help='checkpoint of MAMP or STARS')
    add('--protocols', nargs='+', required=True, metavar='NAME', help=', '.join(PROTOCOLS))
    text = 'table to write, the Markdown beside it (default: evaluation.json in the work directory)'
    add('--json', type=Path, help=text)
    text = 'of features, trainings and results (default: work_dirs/<name of the config>_evaluation)'
    add('--work-dir', type=Path, help=text)
    text = 'label subsets of semi-<percent> and ridge, and trainings of transfer (default: 5)'
    add('--draws', type=int, default=5, help=text)
    add(
        '--seed',
        type=int,
        default=0,
        help='of trainings, draws, random weights and k-means (default: 0)',
    )
    add('--episodes', type=int, default=100, help='draws of few-shot (default: 100)')
    text = 'examples a class of few-shot (default: 1 2 5)'
    add('--shots', type=int, nargs='+', default=[1, 2, 5], help=text)
    text = 'leave out raw coordinates, which keep every clip in memory (NTU-60: some 10 GB)'
    add('--no-raw', action='store_true', help=text)
    add('--num-processes', type=int, default=1, help='GPUs of a training (default: 1)')
    options = dict(nargs='+', action=DictAction, default={})
    text = 'settings that replace those of the recipe'
    add('--cfg-options', metavar='KEY=VALUE', help=text, **options)
    text = f"settings of a protocol's config, by PROTOCOL, one of {', '.join(KINDS)}"
    text += ', such as linear.train_cfg.max_epochs=10'
    add('--protocol-options', metavar='PROTOCOL.KEY=VALUE', help=text, **options)


def split_options(options: dict) -> dict:
    """``linear.a.b=1`` as ``{'linear': {'a.b': 1}}``."""
    found: dict[str, dict] = {}
    for key, value in options.items():
        kind, _, rest = key.partition('.')
        if kind not in KINDS or not rest:
            raise ValueError(
                f'--protocol-options {key}=…: begins with none of {", ".join(KINDS)} and a dot.'
            )
        found.setdefault(kind, {})[rest] = value
    return found


def main(args: argparse.Namespace) -> None:
    for name in ('draws', 'episodes', 'num_processes'):
        if getattr(args, name) < 1:
            raise ValueError(
                f'--{name.replace("_", "-")}: {getattr(args, name)} must be 1 or more.'
            )
    MMLogger.get_instance('evaluate')
    cfg = Config.fromfile(find_config(args.config))
    check_options(args.cfg_options, cfg)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    work_dir = args.work_dir or Path('work_dirs') / (f'{Path(args.config).stem}_evaluation')
    out = args.json or work_dir / 'evaluation.json'
    settings = Settings(
        cfg,
        Encoder.load(args.checkpoint),
        work_dir,
        seed=args.seed,
        draws=args.draws,
        episodes=args.episodes,
        shots=tuple(args.shots),
        baselines=not args.no_raw,
        num_processes=args.num_processes,
        options=split_options(args.protocol_options),
    )
    print(results_page(evaluate(args.protocols, settings, out, args.command_line)))
