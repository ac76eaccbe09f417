"""The protocols that train: linear, finetune, semi-supervised, transfer."""

import re
from pathlib import Path

from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.engine.features import ClipList
from stars_mm.engine.runner.checks import check_ann_files, check_dataset
from stars_mm.evaluation.protocols.record import identify
from stars_mm.evaluation.protocols.task import Settings, Task
from stars_mm.evaluation.protocols.training import run_semi, run_training, run_transfer
from stars_mm.utils.checkpoint import check_checkpoint

#: A share of the training clips, in percent.
SEMI = re.compile(r'semi-(\d+(?:\.\d+)?)')


class TrainingTask(Task):
    """A protocol that trains: linear, finetune, semi-<percent> or transfer."""

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        match = SEMI.fullmatch(name)
        self.percent = float(match.group(1)) if match else None
        self.kind = 'semi' if match else name
        cfg = settings.protocol_cfg(self.kind)
        if cfg is None:
            known = settings.cfg.get('protocols') or {}
            raise ValueError(
                f'{settings.cfg.filename}: its `protocols` name no config for '
                f'"{self.kind}", only for {sorted(known) or "nothing"}. Give '
                f'a recipe that does, or --cfg-options protocols.{self.kind}='
                f'benchmarks/{self.kind}/….py'
            )
        self.cfg = cfg

    def check(self) -> None:
        """Check encoder, files, classes and shapes."""
        encoder, cfg = self.settings.store.encoder, self.cfg
        with DefaultScope.overwrite_default_scope('mmaction'):
            model = MODELS.build(cfg.model)
            check_checkpoint(encoder.state, model, encoder.path)
            check_ann_files(cfg)
            clips = []
            for mode in ('train', 'val'):
                dataset_cfg = cfg[f'{mode}_dataloader'].dataset.copy()
                if self.kind == 'semi':  # drawn when it is run
                    dataset_cfg.pop('subset', None)
                dataset = DATASETS.build(dataset_cfg)
                check_dataset(dataset, model, cfg)
                clips.append(ClipList.from_dataset(dataset))
        train, val = clips
        unknown = sorted(set(val.labels) - set(train.labels))
        if unknown:
            raise ValueError(
                f'{cfg.filename}: {len(unknown)} classes of {val.source} have '
                f'no clip in {train.source}, such as {unknown[0]}: nothing '
                'can learn them. Train and test on the same classes.'
            )
        if self.percent is not None:
            self._check_draws(len(train.labels))

    def _check_draws(self, num_clips: int) -> None:
        dataset = self.cfg.train_dataloader.dataset
        if dataset.type != 'SkeletonDataset':
            raise ValueError(
                f'{self.cfg.filename}: {dataset.type} takes no label subset. Use SkeletonDataset.'
            )
        count = round(num_clips * self.percent / 100)
        if not 2 * self.settings.num_processes <= count <= num_clips:
            raise ValueError(
                f'{self.name}: {self.percent:g} % of {num_clips} clips are '
                f'{count}; there must be 2 for each of '
                f'{self.settings.num_processes} processes, and no more than '
                'there are.'
            )

    def identity(self) -> dict:
        settings, cfg = self.settings, self.cfg
        if self.kind == 'semi':
            cfg = Config(cfg.to_dict())
            cfg.train_dataloader.dataset.pop('subset', None)
        identity = identify(
            cfg, settings.store.encoder.path, settings.seed, cfg.train_dataloader.batch_size
        )
        if self.kind in ('semi', 'transfer'):
            identity['draws'] = settings.draws
        if self.kind == 'semi':
            identity['percent'] = self.percent
        return identity

    def run(self, folder: Path) -> dict:
        settings = self.settings
        given = (self.cfg.filename, settings.store.encoder.path, folder)
        common = dict(options=settings.options.get(self.kind), num_processes=settings.num_processes)
        if self.kind == 'semi':
            found = run_semi(*given, self.percent, settings.draws, settings.seed, **common)
        elif self.kind == 'transfer':
            found = run_transfer(*given, settings.seed, settings.draws, **common)
        else:
            found = run_training(*given, settings.seed, **common)
        result = dict(
            found,
            scores=dict(accuracy=round(found['accuracy'], 4)),
            baselines={},
            seed=settings.seed,
            protocol=f'{self._how()}; {Path(self.cfg.filename).stem}',
        )
        if found.get('std') is not None:
            result.update(
                spread=dict(accuracy=round(found['std'], 4)),
                spread_of=f'standard deviation of {settings.draws} draws',
            )
        return result

    def _how(self) -> str:
        return dict(
            linear='linear classifier on the frozen encoder',
            finetune='encoder and classifier trained',
            semi=f'encoder and classifier trained on {self.percent or 0:g} % of the training clips',
            transfer='encoder and classifier trained on other data',
        )[self.kind]
