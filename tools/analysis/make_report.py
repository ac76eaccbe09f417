"""Evaluates and draws a staged run: table, curves, t-SNE, animation.

    python tools/analysis/make_report.py configs/stars_demo.py

Leaves results.json, results.md, report.html and the pictures in <work-dir>/report/.
"""

import argparse
import logging
import shlex
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.logging import MMLogger, print_log
from mmengine.registry import init_default_scope

import stars_mm  # noqa: F401  registers the parts
from stars_mm.evaluation.protocols.features import FeatureReader
from stars_mm.evaluation.protocols.stage_scores import describe, score_stages
from stars_mm.evaluation.protocols.trained_stages import TrainedStage, find_stages, shown
from stars_mm.visualization.report import publish


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate and draw the stages of a run')
    add = parser.add_argument
    add('config', help='config file that names its stages')
    text = 'where tools/train.py left the run (default: work_dirs/<name of the config>)'
    add('--work-dir', type=Path, help=text)
    text = 'of the random encoder, of k-means, t-SNE and the masks (default: 0)'
    add('--seed', type=int, default=0, help=text)
    text = 'leave out raw coordinates, which keep every clip in memory (NTU-60: some 10 GB)'
    add('--no-raw', action='store_true', help=text)
    options = dict(nargs='+', action=DictAction, default={}, metavar='KEY=VALUE')
    add('--cfg-options', help='those that tools/train.py was given', **options)
    return parser.parse_args(argv)


def commands(args: argparse.Namespace, train_seed: object) -> list[str]:
    """The two commands that lead to this report."""
    common = [shown(args.config), '--work-dir', shown(args.work_dir)]
    if args.cfg_options:
        common += ['--cfg-options'] + [f'{key}={value}' for key, value in args.cfg_options.items()]
    tools = [('tools/train.py', train_seed), ('tools/analysis/make_report.py', args.seed)]
    return [shlex.join(['python', tool, *common, '--seed', str(seed)]) for tool, seed in tools]


def warn_of_unfinished(stages: list[TrainedStage]) -> None:
    for stage in stages:
        planned, epoch = stage.cfg.train_cfg.get('max_epochs'), stage.encoder.meta['epoch']
        if planned and epoch < planned:
            print_log(
                f'{stage.encoder.path}: epoch {epoch} of {planned}, this stage is not finished',
                logger='current',
                level=logging.WARNING,
            )


def main(argv=None) -> None:
    args = parse_args(argv)
    MMLogger.get_instance('report')
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    if args.work_dir is None:
        args.work_dir = Path('work_dirs') / Path(args.config).stem
    stages = find_stages(cfg, args.work_dir)
    warn_of_unfinished(stages)
    reader = FeatureReader(cfg)
    results, queries, lost = score_stages(reader, stages, args.seed, raw=not args.no_raw)
    for sentence in lost:
        print_log(sentence, logger='current', level=logging.WARNING)
    results['meta'] = dict(
        config=shown(args.config),
        work_dir=shown(args.work_dir),
        lost_to=lost,
        commands=commands(args, stages[-1].encoder.meta.get('seed')),
        **describe(reader, stages, args.seed),
    )
    publish(args.work_dir / 'report', reader, stages, results, queries)


if __name__ == '__main__':
    main()
