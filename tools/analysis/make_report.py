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
from stars_mm.datasets import open_clip_store
from stars_mm.evaluation.report import (
    FeatureReader,
    RawFeatures,
    build_random_model,
    describe,
    score,
    unturned,
)
from stars_mm.evaluation.stages import find_stages, shown
from stars_mm.visualization.report import draw_curves, draw_masked, draw_tsne, publish


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate and draw the stages of a run')
    parser.add_argument('config', help='config file that names its stages')
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='where tools/train.py left the run (default: work_dirs/<name of the config>)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the random encoder, of k-means, t-SNE and the masks (default: 0)',
    )
    parser.add_argument(
        '--no-raw',
        action='store_true',
        help='leave out the rows of raw '
        'coordinates, which keep every clip in memory (NTU-60: some 10 GB)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='those that tools/train.py was given',
    )
    return parser.parse_args(argv)


def score_rows(reader: FeatureReader, stages: list, args) -> tuple:
    """Scores of all rows, and the features of the encoders' test clips."""
    results, queries, makers = {}, {}, {}
    if not args.no_raw:
        plain = unturned(reader.cfg)
        if plain is not None:
            results['raw_unturned'] = score(FeatureReader(plain).read(RawFeatures()), args.seed)
        makers['raw'] = RawFeatures
        makers['raw_motion'] = lambda: RawFeatures(motion=True)
    makers['random'] = lambda: build_random_model(stages[0].cfg, args.seed)
    makers.update((stage.row, stage.build_model) for stage in stages)
    for row, make in makers.items():
        features = reader.read(make())
        results[row] = score(features, args.seed)
        print_log(f'{row}: {results[row]}', logger='current')
        if not row.startswith('raw'):
            queries[row] = features['query']
    return results, queries


def commands(args: argparse.Namespace) -> list:
    """The two commands that lead to this report."""
    common = [shown(args.config), '--work-dir', shown(args.work_dir)]
    if args.cfg_options:
        common += ['--cfg-options'] + [f'{key}={value}' for key, value in args.cfg_options.items()]
    return [
        shlex.join(['python', tool, *common, '--seed', seed])
        for tool, seed in (
            ('tools/train.py', args.train_seed),
            ('tools/analysis/make_report.py', str(args.seed)),
        )
    ]


def main(argv=None) -> None:
    args = parse_args(argv)
    MMLogger.get_instance('report')
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    if args.work_dir is None:
        args.work_dir = Path('work_dirs') / Path(args.config).stem
    stages = find_stages(cfg, args.work_dir)
    for stage in stages:
        planned = stage.cfg.train_cfg.get('max_epochs')
        if planned and stage.meta['epoch'] < planned:
            print_log(
                f'{stage.checkpoint}: epoch {stage.meta["epoch"]} of '
                f'{planned}, this stage is not finished',
                logger='current',
                level=logging.WARNING,
            )
    args.train_seed = str(stages[-1].meta.get('seed'))

    reader = FeatureReader(cfg)
    results, queries = score_rows(reader, stages, args)
    results['meta'] = dict(
        config=shown(args.config),
        work_dir=shown(args.work_dir),
        commands=commands(args),
        **describe(reader, stages, args.seed),
    )
    dataset = reader.query.dataset
    names = open_clip_store(dataset.ann_file).extra.get('class_names')
    labels = queries['mamp'].labels.numpy()

    def draw(folder: Path) -> None:
        draw_curves(folder / 'curves.png', stages, results)
        draw_tsne(folder / 'tsne.png', queries, results, names, args.seed)
        model = stages[0].build_model()
        if hasattr(model, 'reconstruct'):
            results['meta']['hidden_joints'] = draw_masked(
                folder / 'masked.gif', model, dataset, labels, names, args.seed
            )

    publish(args.work_dir / 'report', results, draw)


if __name__ == '__main__':
    main()
