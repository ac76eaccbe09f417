"""When does contrastive tuning pay? Trains stage 2 from many starting points.

A start is an encoder of stage 1: seed, share of the training clips, and how far stage 1 has come.
From every start each config's stage 2 is trained, and what it gains is set against the neighbour
purity that it found: the share of training clips whose nearest other clip, by the feature before
tuning, is of the same class. (Labels are looked at to explain, by nothing in training.)

  python tools/analysis/tuning_study.py work_dirs/tuning_demo \\
      --configs configs/stars_demo.py configs/ablations/alpha-0.45_demo.py \\
      --seeds 0 1 2 --fractions 0.1 0.3 1 --progress 0.33 1

What is finished is not done again. Leaves results.json, results.md and tuning.png in the folder.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from mmengine.registry import init_default_scope

import stars_mm  # noqa: F401  registers the parts
from stars_mm.datasets.label_subsets import draw_subset
from stars_mm.engine.runner.stages import find_stage_config
from stars_mm.evaluation.protocols.launch import run_tool
from stars_mm.evaluation.report import FeatureReader, score
from stars_mm.evaluation.stages import last_checkpoint, shown
from stars_mm.evaluation.tuning import Start, neighbour_purity, same_iterations, summary_table
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.checkpoint import check_checkpoint, load_state
from stars_mm.visualization import plot_tuning, read_stage_log


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('dst', type=Path, help='folder of runs and results')
    parser.add_argument(
        '--configs',
        nargs='+',
        required=True,
        help='configs with `stages`; stage 1 is that of the first',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument(
        '--fractions',
        nargs='+',
        type=float,
        default=[1.0],
        help='shares of the training clips, the same iterations for each; '
        'the bank of the kNN is always the whole training split',
    )
    parser.add_argument(
        '--progress',
        nargs='+',
        type=float,
        default=[1.0],
        help='shares of stage 1 after which stage 2 is tried',
    )
    parser.add_argument(
        '--points', type=int, default=5, help='validations in the course of stage 2'
    )
    args = parser.parse_args(argv)
    for name in ('fractions', 'progress'):
        for value in getattr(args, name):
            if not 0 < value <= 1:
                parser.error(f'--{name} {value}: must lie in (0, 1]')
    return args


def train(config: str, work_dir: Path, seed: int, options: dict) -> Path:
    """Run tools/train.py unless its run is finished; the last checkpoint."""
    done = work_dir / 'finished'
    if not done.is_file():
        work_dir.mkdir(parents=True, exist_ok=True)
        print_log(f'training {shown(work_dir)}', logger='current')
        run_tool(
            'train.py',
            [
                config,
                '--seed',
                str(seed),
                '--work-dir',
                str(work_dir),
                '--resume',
                '--cfg-options',
                *(f'{key}={value}' for key, value in options.items()),
            ],
            log=work_dir / 'train.log',
        )
        done.touch()
    return last_checkpoint(work_dir)


class Study:
    """Trains what is missing and reads what came out.

    Args:
        args (argparse.Namespace): The command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.cfg = Config.fromfile(args.configs[0])
        init_default_scope(self.cfg.get('default_scope', 'mmaction'))
        if not self.cfg.get('stages'):
            raise ValueError(
                f'{args.configs[0]}: has no `stages`; the study '
                'needs a config that names its stage 1.'
            )
        stage = self.cfg.stages[0]
        path = find_stage_config(stage['config'], self.cfg)
        self.stage1 = Config.fromfile(path)
        self.stage1.merge_from_dict(stage.get('options') or {})
        self.stage1_options = dict(stage.get('options') or {})
        self.reader = FeatureReader(self.cfg)
        self.num_clips = len(self.reader.bank.dataset)

    def run(self) -> list[dict]:
        """One row of results for each start and config."""
        rows = []
        for seed in self.args.seeds:
            for fraction in self.args.fractions:
                rows += self.run_starts(seed, fraction)
                publish(self.args.dst, rows)
        return rows

    def run_starts(self, seed: int, fraction: float) -> list[dict]:
        """Stage 1 once, then every config from each of its starts."""
        folder = self.args.dst / Start(seed, fraction, 1).name
        indices = draw_subset(np.zeros(self.num_clips, int), 100 * fraction, seed).tolist()
        shared = {'randomness.seed': seed}
        if fraction < 1:
            shared['train_dataloader.dataset.indices'] = str(indices).replace(' ', '')
        options = same_iterations(self.stage1, self.num_clips, fraction)
        epochs = options['train_cfg.max_epochs']
        saved = {p: max(1, round(p * epochs)) for p in self.args.progress}
        step = min(saved.values())
        options.update(
            self.stage1_options,
            **shared,
            **{
                'train_cfg.max_epochs': epochs,
                'train_cfg.val_interval': epochs,
                'default_hooks.checkpoint.interval': step,
                'default_hooks.checkpoint.max_keep_ckpts': -1,
            },
        )
        last = train(self.stage1.filename, folder / 'pretrain', seed, options)
        rows = []
        for progress, epoch in saved.items():
            path = (
                last if progress == 1 else last.with_name(f'epoch_{round(epoch / step) * step}.pth')
            )
            start = Start(seed, fraction, progress)
            rows += [
                self.tune(config, start, path, indices, shared) for config in self.args.configs
            ]
        return rows

    def tune(
        self, config: str, start: Start, checkpoint: Path, indices: list[int], shared: dict
    ) -> dict:
        """Train stage 2 of a config from a start and score both."""
        name = Path(config).stem
        work_dir = self.args.dst / start.name / f'{name}_{start.progress:g}'
        row_file = work_dir / 'row.json'
        if row_file.is_file():
            return json.loads(row_file.read_text())
        cfg = Config.fromfile(config)
        options = same_iterations(cfg, self.num_clips, start.fraction)
        epochs = options['train_cfg.max_epochs']
        options.update(
            shared,
            load_from=str(checkpoint),
            **{'train_cfg.val_interval': max(1, epochs // self.args.points)},
        )
        tuned = train(config, work_dir, start.seed, options)
        row = dict(
            config=name,
            seed=start.seed,
            fraction=start.fraction,
            progress=start.progress,
            clips=len(indices),
        )
        row.update(self.before(cfg, checkpoint, indices))
        row['after'] = self.score(cfg, tuned)
        steps, values = read_stage_log(work_dir).val_series(
            'knn/top1_k1', len(indices) // cfg.train_dataloader.batch_size
        )
        row['curve'] = list(zip(steps, values))
        write_text(row_file, json.dumps(row, indent=1))
        print_log(f'{start}, {name}: {row["before"]} -> {row["after"]}', logger='current')
        return row

    def before(self, cfg: Config, checkpoint: Path, indices: list[int]) -> dict:
        """Scores of a start, and the purity of its training clips."""
        features = self.features(cfg, checkpoint)
        bank = features['bank']
        return dict(
            purity=round(neighbour_purity(bank.features[indices], bank.labels[indices]), 2),
            before=scores(features),
        )

    def score(self, cfg: Config, checkpoint: Path) -> dict[str, float]:
        """Scores of a checkpoint."""
        return scores(self.features(cfg, checkpoint))

    def features(self, cfg: Config, checkpoint: Path) -> dict:
        """Features of the bank and the query by a checkpoint's encoder."""
        model = MODELS.build(cfg.model)
        state = load_state(str(checkpoint))
        check_checkpoint(state, model, str(checkpoint))
        encoder = {
            key[len('backbone.') :]: value
            for key, value in state.items()
            if key.startswith('backbone.')
        }
        model.backbone.load_state_dict(encoder)
        return self.reader.read(model)


def scores(features: dict) -> dict[str, float]:
    """kNN accuracy in percent and cluster scores of the query."""
    return {
        key: value
        for key, value in score(features).items()
        if key in ('knn_top1', 'silhouette', 'nmi', 'ari')
    }


def write_text(path: Path, text: str) -> None:
    """Write a file at once or not at all."""
    with written_whole(path) as partial:
        partial.write_text(text)


def publish(folder: Path, rows: list[dict]) -> None:
    """Write the results as they stand."""
    write_text(folder / 'results.json', json.dumps(rows, indent=1))
    write_text(folder / 'results.md', summary_table(rows))
    plot_tuning(rows, folder / 'tuning.png')


def main(argv=None) -> None:
    args = parse_args(argv)
    args.dst.mkdir(parents=True, exist_ok=True)
    MMLogger.get_instance('tuning_study')
    rows = Study(args).run()
    print(summary_table(rows))


if __name__ == '__main__':
    main()
