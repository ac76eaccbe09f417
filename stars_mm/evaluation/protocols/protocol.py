"""What every protocol is asked, and what it answers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from stars_mm.engine.runner.config_check import check_options
from stars_mm.engine.runner.stages import find_stage_config
from stars_mm.evaluation.protocols.features import Encoder, FeatureReader


@dataclass
class Settings:
    """What the user asks of all protocols."""

    cfg: Config  # the recipe
    encoder: Encoder
    work_dir: Path  # where features, trainings and results are kept
    seed: int = 0  # of k-means, of draws and of trainings
    draws: int = 5  # label subsets of semi-supervised training, and trainings of transfer
    episodes: int = 100  # draws of few-shot recognition
    shots: tuple[int, ...] = (1, 2, 5)  # its numbers of examples
    baselines: bool = True  # whether raw coordinates are measured, too
    num_processes: int = 1  # of a training
    #: Protocol → settings that replace those of its config, by dotted names
    options: dict[str, dict] = field(default_factory=dict)
    _readers: dict[str | None, FeatureReader] = field(default_factory=dict)

    def reader(self, cfg: Config) -> FeatureReader:
        """The clips of a config, loaded once."""
        if cfg.filename not in self._readers:
            self._readers[cfg.filename] = FeatureReader(cfg, self.work_dir / 'features')
        return self._readers[cfg.filename]

    def protocol_cfg(self, kind: str) -> Config | None:
        """The config that the recipe names for a protocol, if it does."""
        path = (self.cfg.get('protocols') or {}).get(kind)
        if path is None:
            return None
        try:
            cfg = Config.fromfile(find_stage_config(path, self.cfg))
        except FileNotFoundError as error:
            text = f'{self.cfg.filename}: protocols.{kind}={path!r}: there is no such config'
            raise FileNotFoundError(f'{text} beside it, nor in configs/.') from error
        check_options(self.options.get(kind, {}), cfg)
        cfg.merge_from_dict(self.options.get(kind, {}))
        return cfg


class Protocol(ABC):
    """One way to evaluate a checkpoint, by the name that the user gives it."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings

    @abstractmethod
    def check(self) -> None:
        """Raise an error where it cannot be run, before anything is."""

    @abstractmethod
    def identity(self) -> dict:
        """What makes its result the same."""

    @abstractmethod
    def run(self, folder: Path) -> dict:
        """Run it in a folder of its own; gives ``scores`` by name, ``spread`` by name where there
        is one and ``spread_of`` which says of what, ``baselines`` (row → scores), ``epoch``,
        ``protocol`` in words, ``by_class`` where it predicts classes, in the format of
        :mod:`~stars_mm.evaluation.functional.class_results`, and more."""
