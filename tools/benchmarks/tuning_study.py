"""When does contrastive tuning pay? Trains stage 2 from many starting points.

A start is an encoder of stage 1: seed, share of the training clips, and how far stage 1 has come.
From every start each config's stage 2 is trained, and what it gains is set against the neighbor
purity that it found: the share of training clips whose nearest other clip, by the feature before
tuning, is of the same class. (Labels are looked at to explain, by nothing in training.)

  python tools/benchmarks/tuning_study.py work_dirs/tuning_demo \\
      --configs configs/ablations/mamp-nnclr_demo.py configs/mine/alpha-0.45_demo.py \\
      --seeds 0 1 2 --fractions 0.1 0.3 1 --progress 0.33 1

What is finished is not done again. Leaves results.json, results.md and tuning.png in the folder.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from mmengine.registry import init_default_scope
from tuning_results import plot_tuning, summary_table

import stars_mm  # noqa: F401  registers the parts
from stars_mm.datasets.label_subsets import draw_subset
from stars_mm.engine.runner.last_checkpoint import latest_checkpoint
from stars_mm.engine.runner.stages import find_stage_config
from stars_mm.evaluation.functional import nearest_neighbors
from stars_mm.evaluation.protocols.features import PUBLISHED, BankAndQuery, Encoder, FeatureReader
from stars_mm.evaluation.protocols.stage_scores import score
from stars_mm.evaluation.protocols.tool_process import run_tool
from stars_mm.evaluation.protocols.training_log import read_training_log
from stars_mm.utils.atomic import write_text


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add('dst', type=Path, help='folder of runs and results')
    text = 'configs with `stages`; stage 1 is that of the first'
    add('--configs', nargs='+', required=True, help=text)
    add('--seeds', nargs='+', type=int, default=[0, 1, 2])
    text = 'shares of the training clips, with the same iterations; the kNN bank is the whole split'
    add('--fractions', nargs='+', type=float, default=[1.0], help=text)
    text = 'shares of stage 1 after which stage 2 is tried'
    add('--progress', nargs='+', type=float, default=[1.0], help=text)
    add('--points', type=int, default=5, help='validations in the course of stage 2')
    args = parser.parse_args(argv)
    for name in ('fractions', 'progress'):
        for value in getattr(args, name):
            if not 0 < value <= 1:
                parser.error(f'--{name} {value}: must lie in (0, 1]')
    return args


@dataclass(frozen=True)
class Start:
    """An encoder from which stage 2 starts: stage 1's seed, which also draws the clips, its share
    of the training clips and of its schedule, the epoch of its checkpoint, and its clips' names."""

    seed: int
    fraction: float
    progress: float
    epoch: int
    checkpoint: Path
    clips: list[str]


def same_iterations(cfg: Config, num_clips: int, fraction: float) -> dict:
    """Options, the number of epochs and the schedulers stretched, by which a stage's config with a
    schedule in epochs gives a share of the training split's clips the iterations of all of them. A
    ValueError if the share is smaller than a batch."""
    batch = cfg.train_dataloader.batch_size
    whole, part = num_clips // batch, round(num_clips * fraction) // batch
    if part == 0:
        raise ValueError(
            f'fraction={fraction} of {num_clips} training clips is less than '
            f'train_dataloader.batch_size={batch}. Take a larger share.'
        )
    stretch = whole / part
    options = {'train_cfg.max_epochs': round(cfg.train_cfg.max_epochs * stretch)}
    for number, scheduler in enumerate(cfg.param_scheduler):
        for key in ('begin', 'end'):
            if math.isfinite(scheduler.get(key, math.inf)):
                options[f'param_scheduler.{number}.{key}'] = round(scheduler[key] * stretch)
    return options


def neighbor_purity(features: BankAndQuery, clips: list[str]) -> float:
    """Share of some clips of the bank whose nearest other one is of the same class, in percent."""
    bank = features['bank']
    chosen = [bank.names.index(name) for name in clips]
    feats, labels = bank.features[chosen], bank.labels[chosen]
    _, nearest = nearest_neighbors(feats, feats, 2)
    others = nearest != nearest.new_tensor(range(len(chosen)))[:, None]
    nearest = nearest[range(len(chosen)), others.int().argmax(dim=1)]
    return 100 * (labels[nearest] == labels).float().mean().item()


def train(config: str, work_dir: Path, seed: int, options: dict) -> str | None:
    """Run tools/train.py unless it has reached this epoch; the last checkpoint."""
    done = work_dir / f'finished_{options["train_cfg.max_epochs"]}'
    if not done.is_file():
        work_dir.mkdir(parents=True, exist_ok=True)
        print_log(f'training {work_dir}', logger='current')
        given = ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
        arguments = [config, '--seed', seed, '--work-dir', work_dir, '--resume', *given]
        run_tool('train.py', arguments, log=work_dir / 'train.log')
        done.touch()
    return latest_checkpoint(str(work_dir))


class Study:
    """Trains what is missing and reads what came out."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        cfg = Config.fromfile(args.configs[0])
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        if not cfg.get('stages'):
            raise ValueError(f'{args.configs[0]}: has no `stages`; the study needs its stage 1.')
        stage = cfg.stages[0]
        self.stage1 = Config.fromfile(find_stage_config(stage['config'], cfg))
        self.stage1_options = dict(stage.get('options') or {})
        self.stage1.merge_from_dict(self.stage1_options)
        self.reader = FeatureReader(cfg, args.dst / 'features')

    def run(self) -> list[dict]:
        """One row of results for each start and config."""
        rows = []
        for seed in self.args.seeds:
            for fraction in self.args.fractions:
                for start in self.train_starts(seed, fraction):
                    rows += [self.tune(config, start) for config in self.args.configs]
                publish(self.args.dst, rows)
        return rows

    def train_starts(self, seed: int, fraction: float) -> list[Start]:
        """Stage 1, up to one start after another."""
        bank = self.reader.clips('bank')
        drawn = draw_subset(bank.labels, 100 * fraction, seed)
        clips = [bank.names[n] for n in drawn]
        folder = self.args.dst / f'data-{fraction:g}_seed-{seed}'
        write_text(folder / 'clips.txt', '\n'.join(clips) + '\n')
        options = same_iterations(self.stage1, len(bank.names), fraction)
        epochs = options['train_cfg.max_epochs']
        options.update(self.stage1_options, **self.shared_options(seed, fraction))
        options['train_cfg.val_interval'] = epochs
        options['default_hooks.checkpoint.interval'] = epochs  # and the last of each run
        options['default_hooks.checkpoint.max_keep_ckpts'] = -1
        starts = []
        for progress in sorted(self.args.progress):
            options['train_cfg.max_epochs'] = epoch = max(1, round(progress * epochs))
            train(self.stage1.filename, folder / 'pretrain', seed, options)
            path = folder / 'pretrain' / f'epoch_{epoch}.pth'
            starts.append(Start(seed, fraction, progress, epoch, path, clips))
        return starts

    def shared_options(self, seed: int, fraction: float) -> dict:
        """Options of both stages."""
        options = {'randomness.seed': seed}
        if fraction < 1:
            subset = self.args.dst / f'data-{fraction:g}_seed-{seed}' / 'clips.txt'
            options['train_dataloader.dataset.subset'] = str(subset.resolve())
        return options

    def tune(self, config: str, start: Start) -> dict:
        """Train stage 2 of a config from a start and score both."""
        name = Path(config).stem
        folder = f'data-{start.fraction:g}_seed-{start.seed}'
        work_dir = self.args.dst / folder / f'{name}_{start.progress:g}'
        row_file = work_dir / 'row.json'
        if row_file.is_file():
            return json.loads(row_file.read_text())
        cfg = Config.fromfile(config)
        options = same_iterations(cfg, len(self.reader.clips('bank').names), start.fraction)
        epochs = options['train_cfg.max_epochs']
        options.update(
            self.shared_options(start.seed, start.fraction),
            load_from=str(start.checkpoint),
            **{'train_cfg.val_interval': max(1, epochs // self.args.points)},
        )
        tuned = train(config, work_dir, start.seed, options)
        iters_per_epoch = len(start.clips) // cfg.train_dataloader.batch_size
        curve = read_training_log(work_dir).val_series('knn/top1_k1', iters_per_epoch)
        before, after = (
            self.reader.read_encoder(Encoder.load(path), cfg, (PUBLISHED,))[PUBLISHED]
            for path in (start.checkpoint, tuned)
        )
        row = dict(
            config=name,
            seed=start.seed,
            fraction=start.fraction,
            progress=start.progress,
            epoch=start.epoch,
            clips=len(start.clips),
            purity=round(neighbor_purity(before, start.clips), 2),
            before=score(before),
            after=score(after),
            curve=list(zip(*curve)),
        )
        write_text(row_file, json.dumps(row, indent=1))
        print_log(f'{work_dir}: {row["before"]} -> {row["after"]}', logger='current')
        return row


def publish(folder: Path, rows: list[dict]) -> None:
    """Write the results as they stand."""
    write_text(folder / 'results.json', json.dumps(rows, indent=1))
    write_text(folder / 'results.md', summary_table(rows) + '\n')
    plot_tuning(rows, folder / 'tuning.png')


def main(argv=None) -> None:
    args = parse_args(argv)
    args.dst.mkdir(parents=True, exist_ok=True)
    MMLogger.get_instance('tuning_study')
    print(summary_table(Study(args).run()))


if __name__ == '__main__':
    main()
