"""Finds what a staged run has trained."""

import os.path as osp
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from stars_mm.engine.runner.last_checkpoint import latest_checkpoint
from stars_mm.evaluation.protocols.features import Encoder


class TrainedStage(NamedTuple):
    """The name of one stage in the results (:func:`row_of`), its config and last checkpoint."""

    row: str
    cfg: Config
    encoder: Encoder

    @property
    def iters_per_val_step(self) -> float:
        """float: Iterations between two steps of the validation log."""
        meta = self.encoder.meta
        return meta['iter'] / (meta['epoch'] or meta['iter'])


def trained_cfg(work_dir: Path, name: str = '*') -> Config:
    """The whole config of a training, as mmengine leaves it in its ``--work-dir``: that of the
    ``name`` of the file that was trained, or the newest.

    Raises:
        FileNotFoundError: If there is none.
    """
    files = sorted(work_dir.glob(f'{name}.py'), key=lambda file: file.stat().st_mtime)
    if not files:
        raise FileNotFoundError(
            f'{work_dir}: holds no {name}.py, the config that a training leaves in its --work-dir. '
            'Name the folder that was given to train.'
        )
    return Config.fromfile(files[-1])


def find_stages(cfg: Config, work_dir: Path) -> list[TrainedStage]:
    """The checkpoints of all stages of a trained config in the order of training, its own last, in
    the ``--work-dir`` of the training; an earlier stage that was not trained there, since a
    checkpoint was given, is left out.

    Raises:
        FileNotFoundError: If a stage has no checkpoint.
    """
    folders = {stage['name']: work_dir / stage['name'] for stage in cfg.get('stages') or []}
    cfgs = {name: trained_cfg(folder) for name, folder in folders.items() if folder.is_dir()}
    found: dict[str, TrainedStage] = {}
    for name, stage_cfg in reversed([*cfgs.items(), ('own', cfg)]):
        row = row_of(stage_cfg)
        row = f'{row}_{name}' if row in found else row
        stage_cfg.work_dir = str(folders.get(name, work_dir))
        checkpoint = latest_checkpoint(stage_cfg.work_dir)
        if checkpoint is None:
            raise FileNotFoundError(
                f'{stage_cfg.work_dir}: holds no checkpoint (last_checkpoint) of stage "{row}". '
                'Finish its training by the command that began it, with --resume.'
            )
        found[row] = TrainedStage(row, stage_cfg, Encoder.load(checkpoint))
    return [*reversed(found.values())]


def row_of(cfg: Config) -> str:
    """The name of a training in the results: that of its algorithm, such as ``'mamp'``; of
    ``STARS`` with another head than those of the recipes the head's, such as ``'moco'``."""
    model = cfg.model
    if model.type != 'STARS' or model.head.type in ('NNCLRHead', 'SimilarityHead'):
        return model.type.lower()
    return model.head.type.removesuffix('Head').lower()


def shown(path: str | Path) -> str:
    """A path relative to the current folder where it lies in it."""
    relative = osp.relpath(path)
    return str(path) if relative.startswith('..') else relative
