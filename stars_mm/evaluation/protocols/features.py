"""From a checkpoint to the features of a config's clips: the one reader, and its files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.engine.features import ClipList, FeatureSet, extract_features
from stars_mm.engine.runner.checks import check_ann_files, check_dataset
from stars_mm.evaluation.protocols.cache_key import cache_key, dataset_key, file_digest
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.checkpoint import check_checkpoint
from stars_mm.utils.shipped_encoders import checkpoint_path
from stars_mm.utils.weights_file import read_weights

ROLES = ('bank', 'query')
BankAndQuery = dict[str, FeatureSet]


class Encoder(NamedTuple):
    """A checkpoint that is to be evaluated: its file, SHA-256, weights, and ``epoch``, ``seed`` and
    so on, where it says so."""

    path: str
    digest: str
    state: dict
    meta: dict

    @classmethod
    def load(cls, path: str | Path) -> 'Encoder':
        """Read a checkpoint, or an encoder that ships, ``stars://NAME``; FileNotFoundError if there
        is none."""
        file = checkpoint_path(path)
        if not file.is_file():
            raise FileNotFoundError(f'{path}: there is no such checkpoint.')
        state, meta = read_weights(file)
        known = {key: meta[key] for key in ('epoch', 'iter', 'seed', 'source') if key in meta}
        return cls(str(path), file_digest(file), state, known)

    def build_model(self, cfg: Config) -> nn.Module:
        """The config's model with these weights, in evaluation mode; a ValueError where they do
        not fit, or the model classifies."""
        with DefaultScope.overwrite_default_scope('mmaction'):
            model = MODELS.build(cfg.model)
        if not hasattr(model, 'extract_feat') or hasattr(model, 'cls_head'):
            raise ValueError(
                f'{cfg.filename}: {type(model).__name__} is a classifier. '
                'Give a recipe, or a config of MAMP or STARS.'
            )
        check_checkpoint(self.state, model, self.path)
        model.load_state_dict(self.state, strict=False)
        return model.eval()


class FeatureReader:
    """Reads the features of a config's bank and query.

    The config has ``test_dataloader`` and ``test_cfg.bank_dataloader``, else it is a ValueError. In
    the folder, if any, the features of checkpoints are kept, by what they were computed from.
    """

    def __init__(self, cfg: Config, folder: Path | None = None) -> None:
        if 'bank_dataloader' not in (cfg.get('test_cfg') or {}):
            raise ValueError(
                f'{cfg.filename}: its test has no bank_dataloader, so nothing '
                'is compared by features. Give a recipe, or a config of MAMP or STARS.'
            )
        check_ann_files(cfg)
        self.cfg = cfg
        self.folder = folder
        self._loaders: dict[str, DataLoader] = {}
        self._clips: dict[str, ClipList] = {}

    def loader_cfg(self, role: str) -> dict:
        """The config of the data loader of the bank or the query."""
        return self.cfg.test_cfg.bank_dataloader if role == 'bank' else self.cfg.test_dataloader

    def loader(self, role: str) -> DataLoader:
        """The data loader of the bank or the query, built once."""
        if role not in self._loaders:
            with DefaultScope.overwrite_default_scope('mmaction'):
                self._loaders[role] = Runner.build_dataloader(self.loader_cfg(role))
        return self._loaders[role]

    def clips(self, role: str) -> ClipList:
        """The names and classes of the bank or the query."""
        if role not in self._clips:
            self._clips[role] = ClipList.from_dataset(self.loader(role).dataset)
        return self._clips[role]

    def class_names(self) -> list[str] | None:
        """Names of the query's classes, where its annotation file has them."""
        store = open_clip_store(self.loader('query').dataset.ann_file)
        return store.extra.get('class_names')

    def check(self, encoder: Encoder) -> None:
        """Raise a ValueError where the encoder does not fit the config, or the config its data."""
        model = encoder.build_model(self.cfg)
        for role in ROLES:
            check_dataset(self.loader(role).dataset, model, self.cfg)

    def read(self, model: nn.Module) -> BankAndQuery:
        """Compute the features of the ``bank`` and the ``query`` by a model."""
        return {role: self._compute(model, role) for role in ROLES}

    def read_encoder(self, encoder: Encoder, cfg: Config | None = None) -> BankAndQuery:
        """Features by a checkpoint, from the files where they are there; ``cfg`` is that of its
        model, where it is not this one."""
        cfg = cfg or self.cfg
        found, model = {}, None
        for role in ROLES:
            path = self.folder and self.folder / f'{self.key(encoder, role, cfg)}.npz'
            if path and path.is_file():
                found[role] = _read_features(path)
                continue
            model = encoder.build_model(cfg) if model is None else model
            found[role] = self._compute(model, role)
            if path:
                _write_features(path, found[role])
        return found

    def key(self, encoder: Encoder, role: str, cfg: Config | None = None) -> str:
        """What makes features the same."""
        model = (cfg or self.cfg).model.to_dict()
        for key in ('head', 'neck'):  # no feature depends on them
            model.pop(key, None)
        return cache_key(dict(checkpoint=encoder.digest, model=model, data=self.clip_key(role)))

    def clip_key(self, role: str) -> dict:
        """What makes clips the same, wherever their file lies: its content, the choice of clips,
        and the pipeline."""
        return dataset_key(Config(dict(self.loader_cfg(role))).to_dict()['dataset'])

    def _compute(self, model: nn.Module, role: str) -> FeatureSet:
        loader = self.loader(role)
        name = type(model).__name__
        print_log(f'{name}: features of the {role}, {len(loader.dataset)} clips', logger='current')
        return extract_features(model.to(get_device()), loader)


class RawFeatures(BaseModel):
    """The clip itself, or its differences between neighboring frames, as its feature: what every
    encoder has to beat."""

    def __init__(self, motion: bool = False) -> None:
        super().__init__(dict(type='mmaction.SkeletonPreprocessor'))
        self.motion = motion

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """Clips (N, clips, M, T, V, C) as vectors (N, clips · M · … · C)."""
        if self.motion:
            inputs = inputs.diff(dim=3)  # (N, clips, M, T - 1, V, C)
        return inputs.flatten(1)

    def forward(self, inputs: Tensor, data_samples: list, mode: str = 'predict') -> list:
        """The data samples with their features."""
        for data_sample, feat in zip(data_samples, self.extract_feat(inputs)):
            data_sample.feature = feat
        return data_samples


def raw_rows(reader: FeatureReader) -> list[tuple[str, Callable[[], BankAndQuery]]]:
    """Rows that need no encoder, ``raw_unturned`` where the pipeline turns the clips, ``raw`` and
    ``raw_motion``, and a function that reads the features of each: one after another, since a
    clip's coordinates may take a hundred times the room of its feature.
    """
    cfg = without_turn(reader.cfg)
    unturned = [] if cfg is None else [('raw_unturned', FeatureReader(cfg), False)]
    rows = [*unturned, ('raw', reader, False), ('raw_motion', reader, True)]
    return [(row, partial(own.read, RawFeatures(motion))) for row, own, motion in rows]


def without_turn(cfg: Config) -> Config | None:
    """A config whose test clips are centred but not turned; None where they are not anyway."""
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    loaders = (cfg.test_dataloader, cfg.test_cfg.bank_dataloader)
    steps = [step for loader in loaders for step in _all_steps(loader.dataset.pipeline)]
    centring = [step for step in steps if step['type'] == 'CenterSkeleton']
    turning = [step for step in centring if step.get('align') or step.get('upright')]
    for step in turning:
        step.update(align=None, upright=None)
    return cfg if turning else None


def _all_steps(steps: list) -> list[dict]:
    """Transforms, and those within others (``PackViews``, ``MultiView``)."""
    return [own for step in steps for own in (step, *_all_steps(step.get('transforms') or []))]


def _read_features(path: Path) -> FeatureSet:
    with np.load(path, allow_pickle=False) as arrays:
        keys = ('features', 'labels', 'sample_idx')
        features, labels, sample_idx = (torch.from_numpy(arrays[key]) for key in keys)
        return FeatureSet(features, labels, sample_idx, arrays['names'].tolist() or None)


def _write_features(path: Path, found: FeatureSet) -> None:
    with written_whole(path) as partial, open(partial, 'wb') as file:
        np.savez(
            file,
            features=found.features.numpy(),
            labels=found.labels.numpy(),
            sample_idx=found.sample_idx.numpy(),
            names=np.array(found.names or [], dtype=str),
        )
