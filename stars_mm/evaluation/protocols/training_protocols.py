"""The protocols that train: linear, finetune, semi-supervised, transfer.

Each training is left in its work directory; a second call reads what is there.
"""

import os.path as osp
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope

from stars_mm.datasets.label_subsets import write_subsets
from stars_mm.engine.features import ClipList
from stars_mm.engine.runner.checks import check_ann_files, check_dataset
from stars_mm.engine.runner.config_check import check_config
from stars_mm.evaluation.protocols.protocol import Protocol, Settings
from stars_mm.evaluation.protocols.training_run import (
    predictions_by_class,
    run_training,
    training_identity,
)
from stars_mm.utils.checkpoint import check_checkpoint

#: A share of the training clips, in percent.
SEMI = re.compile(r'semi-(\d+(?:\.\d+)?)')
_HOW = dict(
    linear='linear classifier on the frozen encoder',
    finetune='encoder and classifier trained',
    semi='encoder and classifier trained on {percent:g} % of the training clips',
    transfer='encoder and classifier trained on other data',
)


class TrainingProtocol(Protocol):
    """A protocol that trains: linear, finetune, semi-<percent> or transfer.

    The total batch is the config's (``auto_scale_lr.base_batch_size``) whatever the number of
    processes, unless the options set a batch size; where a subset holds less, it is the batch.
    Draw d of ``semi`` takes the clips of ``draw_subset(…, seed, draw=d)``; it and training d of
    ``transfer`` have the seed ``seed + d``.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        match = SEMI.fullmatch(name)
        self.percent = float(match.group(1)) if match else None
        self.kind = 'semi' if match else name
        self.num_clips: int | None = None
        self.draws = settings.draws if self.kind in ('semi', 'transfer') else 1
        cfg = settings.protocol_cfg(self.kind)
        if cfg is None:
            known = settings.cfg.get('protocols') or {}
            raise ValueError(
                f'{settings.cfg.filename}: its `protocols` name no config for "{self.kind}", only '
                f'for {sorted(known) or "nothing"}. Give a recipe that does, or --cfg-options '
                f'protocols.{self.kind}=benchmarks/{self.kind}/….py'
            )
        self.cfg = cfg
        if self.kind == 'semi':  # drawn when it is run
            cfg.train_dataloader.dataset.pop('subset', None)
        self._share_batch()

    def _share_batch(self) -> None:
        """Divide the config's batch among the processes."""
        settings, cfg = self.settings, self.cfg
        for key in ('train_dataloader', 'val_dataloader', 'val_evaluator'):
            if cfg.get(key) is None:
                text = f'{cfg.filename} has no {key}, and a benchmark needs it'
                raise ValueError(f'{text}. Give one of configs/benchmarks/.')
        total = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
        given = settings.options.get(self.kind, {})
        if total is None or 'train_dataloader.batch_size' in given:
            return
        if total % settings.num_processes:
            raise ValueError(
                f'num_processes={settings.num_processes} does not divide the batch of '
                f'{cfg.filename}, auto_scale_lr.base_batch_size={total}. Choose another number.'
            )
        cfg.train_dataloader.batch_size = total // settings.num_processes

    def check(self) -> None:
        """Check names and numbers of the config, encoder, files, classes and shapes."""
        encoder, cfg = self.settings.encoder, self.cfg
        check_config(cfg)
        with DefaultScope.overwrite_default_scope('mmaction'):
            model = MODELS.build(cfg.model)
            check_checkpoint(encoder.state, model, encoder.path)
            check_ann_files(cfg)
            clips = []
            for mode in ('train', 'val'):
                dataset = DATASETS.build(cfg[f'{mode}_dataloader'].dataset)
                check_dataset(dataset, model, cfg)
                clips.append(ClipList.from_dataset(dataset).labeled())
        train, val = clips
        unknown = sorted(set(val.labels) - set(train.labels))
        if unknown:
            raise ValueError(
                f'{cfg.filename}: {len(unknown)} classes of {val.source} have no clip in '
                f'{train.source}: {val.titles(unknown)}. Train and test on the same classes.'
            )
        if self.percent is not None:
            self._check_draws(len(train.labels))

    def _check_draws(self, num_clips: int) -> None:
        """Check the share, and make the batch no larger than it."""
        loader, processes = self.cfg.train_dataloader, self.settings.num_processes
        if loader.dataset.type != 'SkeletonDataset':
            raise ValueError(
                f'{self.cfg.filename}: train_dataloader.dataset.type={loader.dataset.type!r} '
                'takes no label subset. Use SkeletonDataset.'
            )
        self.num_clips = count = round(num_clips * self.percent / 100)
        if not 2 * processes <= count <= num_clips:  # batch norm needs 2
            raise ValueError(
                f'{self.name}: {self.percent:g} % of {num_clips} clips are {count}; there must be '
                f'2 for each of {processes} processes, and no more than there are.'
            )
        loader.batch_size = min(loader.batch_size, count // processes)

    def identity(self) -> dict:
        settings = self.settings
        batch_size = self.cfg.train_dataloader.batch_size * settings.num_processes
        identity = training_identity(self.cfg, settings.encoder.path, settings.seed, batch_size)
        return dict(identity, draws=self.draws, percent=self.percent)

    def run(self, folder: Path) -> dict:
        settings = self.settings
        path, processes = settings.encoder.path, settings.num_processes
        runs = [
            run_training(cfg, path, work_dir, settings.seed + draw, processes)
            for draw, (cfg, work_dir) in enumerate(self._trainings(folder))
        ]
        found = summarize(runs) if self.kind in ('semi', 'transfer') else runs[0]
        result = dict(
            found,
            scores=dict(accuracy=round(found['accuracy'], 4)),
            baselines={},
            seed=settings.seed,
            draws=self.draws,
            protocol=f'{_HOW[self.kind].format(percent=self.percent)}; '
            f'{Path(self.cfg.filename).stem}',
        )
        if self.kind in ('linear', 'finetune'):
            result['by_class'] = predictions_by_class(self.cfg, folder)
        if self.kind == 'semi':
            result.update(percent=self.percent, num_clips=self.num_clips)
        spread = ''
        if found.get('std') is not None:
            result['spread'] = dict(accuracy=round(found['std'], 4))
            result['spread_of'] = f'standard deviation of {self.draws} draws'
            spread = f' ± {found["std"]:.1f}'
        print_log(f'{self.name}: {found["accuracy"]:.1f}{spread} %, last epoch', logger='current')
        return result

    def _trainings(self, folder: Path) -> Iterator[tuple[Config, Path]]:
        """Config and folder of each training."""
        seed = self.settings.seed
        if self.kind == 'transfer':
            for draw in range(self.draws):
                yield self.cfg, folder / f'seed{seed + draw}'
        elif self.kind == 'semi':
            dataset = self.cfg.train_dataloader.dataset
            ann_file = osp.join(dataset.get('data_root') or '', dataset.ann_file)
            subsets = str(folder / 'subsets'), self.percent, self.draws, seed
            for draw, subset in enumerate(write_subsets(ann_file, dataset.split, *subsets)):
                cfg = Config(self.cfg.to_dict(), filename=self.cfg.filename)
                cfg.train_dataloader.dataset.subset = osp.abspath(subset)
                yield cfg, folder / f'draw{draw}'
        else:
            yield self.cfg, folder


def summarize(runs: list[dict]) -> dict:
    """Trainings that differ in their draws alone, as one: ``accuracy`` and ``best_of_test`` are
    means, ``seconds`` is the sum, ``std`` that of the accuracies (of the sample; None for one)."""
    accuracies = [run['accuracy'] for run in runs]
    best = mean(run['best_of_test']['accuracy'] for run in runs)
    same = {key: runs[0][key] for key in ('epoch', 'batch_size', 'config', 'checkpoint')}
    return dict(
        same,
        accuracy=mean(accuracies),
        std=stdev(accuracies) if len(runs) > 1 else None,
        best_of_test=dict(accuracy=best, epoch=None),
        seconds=round(sum(run['seconds'] for run in runs), 1),
        runs=runs,
    )
