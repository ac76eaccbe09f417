"""Finds what a staged run has trained."""

import os.path as osp
from dataclasses import dataclass
from pathlib import Path

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader

from stars_mm.engine.runner.stages import build_stage_cfg, check_stages
from stars_mm.utils.checkpoint import check_checkpoint


@dataclass
class TrainedStage:
    """The last checkpoint of one stage.

    Attributes:
        row (str): Name in the results: ``'mamp'`` for the first stage,
            ``'stars'`` for the config's own training, else the stage's name.
        cfg (Config): Config of the stage.
        checkpoint (Path): The checkpoint.
        meta (dict): Its ``epoch``, ``iter``, ``seed`` and so on.
        state (dict): Its weights, on the CPU.
    """

    row: str
    cfg: Config
    checkpoint: Path
    meta: dict
    state: dict

    @property
    def iters_per_val_step(self) -> float:
        """float: Iterations between two steps of the validation log."""
        return self.meta['iter'] / (self.meta['epoch'] or self.meta['iter'])

    def build_model(self) -> BaseModel:
        """Build the stage's model with the weights of the checkpoint."""
        model = MODELS.build(self.cfg.model)
        check_checkpoint(self.state, model, str(self.checkpoint))
        model.load_state_dict(self.state)
        return model.eval()


def find_stages(cfg: Config, work_dir: Path) -> list[TrainedStage]:
    """Find the checkpoints of all stages of a config.

    Args:
        cfg (Config): The config with its ``stages``.
        work_dir (Path): What ``tools/train.py`` was given as ``--work-dir``.

    Returns:
        list[TrainedStage]: In the order of training; the config's own last.

    Raises:
        ValueError: If the config names no earlier stage.
        FileNotFoundError: If a stage has no checkpoint; says how to make it.
    """
    stages = cfg.get('stages') or []
    if not stages:
        raise ValueError(
            f'{cfg.filename}: `stages` names no stage that comes before its '
            'own training; a report compares the stages of one run.'
        )
    check_stages(stages, cfg)
    cfg.setdefault('randomness', dict(seed=None))
    found = []
    for number, stage in enumerate(stages):
        stage_cfg = build_stage_cfg(cfg, stage, str(work_dir))
        row = stage['name'] if number else 'mamp'
        found.append(_read_stage(row, stage_cfg, cfg, work_dir))
    own = Config(cfg.to_dict(), filename=cfg.filename)
    own.work_dir = str(work_dir)
    return found + [_read_stage('stars', own, cfg, work_dir)]


def _read_stage(row: str, stage_cfg: Config, cfg: Config, work_dir: Path) -> TrainedStage:
    checkpoint = last_checkpoint(Path(stage_cfg.work_dir))
    if checkpoint is None:
        raise FileNotFoundError(
            f'{stage_cfg.work_dir}: holds no checkpoint (last_checkpoint) of '
            f'stage "{row}". Train it: python tools/train.py '
            f'{shown(cfg.filename)} --work-dir {shown(work_dir)} --resume'
        )
    content = CheckpointLoader.load_checkpoint(
        str(checkpoint), map_location='cpu', logger='current'
    )
    return TrainedStage(row, stage_cfg, checkpoint, content['meta'], content['state_dict'])


def shown(path: str | Path) -> str:
    """A path relative to the current folder where it lies in it."""
    relative = osp.relpath(path)
    return str(path) if relative.startswith('..') else relative


def last_checkpoint(work_dir: Path) -> Path | None:
    """The checkpoint that mmengine's ``last_checkpoint`` names.

    Args:
        work_dir (Path): Folder of a run, which may have been moved since.

    Returns:
        Path or None: An existing file.
    """
    pointer = work_dir / 'last_checkpoint'
    if not pointer.is_file():
        return None
    named = Path(pointer.read_text().strip())
    for path in (work_dir / named.name, named):
        if path.is_file():
            return path
    return None
