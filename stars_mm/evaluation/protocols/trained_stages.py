"""Finds what a staged run has trained."""

import os.path as osp
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from stars_mm.engine.runner.stages import build_stage_cfg, check_stages, latest_checkpoint
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


def find_stages(cfg: Config, work_dir: Path) -> list[TrainedStage]:
    """The checkpoints of all stages of a config in the order of training, the config's own last, in
    the ``--work-dir`` of ``tools/train.py``.

    Raises:
        ValueError: If the config names no earlier stage.
        FileNotFoundError: If a stage has no checkpoint; says how to make it.
    """
    stages = cfg.get('stages') or []
    if not stages:
        raise ValueError(
            f'{cfg.filename}: `stages` names no stage that comes before its own training; a report '
            'compares the stages of one run.'
        )
    check_stages(stages, cfg)
    cfg.setdefault('randomness', dict(seed=None))
    own = Config(cfg.to_dict(), filename=cfg.filename)
    own.work_dir = str(work_dir)
    cfgs = {stage['name']: build_stage_cfg(cfg, stage, str(work_dir)) for stage in stages}
    found: dict[str, TrainedStage] = {}
    for name, stage_cfg in reversed([*cfgs.items(), ('own', own)]):
        row = row_of(stage_cfg)
        row = f'{row}_{name}' if row in found else row
        checkpoint = latest_checkpoint(stage_cfg.work_dir)
        if checkpoint is None:
            raise FileNotFoundError(
                f'{stage_cfg.work_dir}: holds no checkpoint (last_checkpoint) of '
                f'stage "{row}". Train it: python tools/train.py '
                f'{shown(cfg.filename)} --work-dir {shown(work_dir)} --resume'
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
