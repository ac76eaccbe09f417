"""Features of a checkpoint, computed once for all protocols that read them."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.engine.features import ClipList, FeatureSet, extract_features
from stars_mm.engine.runner.checks import check_ann_files, check_dataset
from stars_mm.evaluation.protocols.record import file_digest
from stars_mm.evaluation.report import RawFeatures, unturned
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.checkpoint import check_checkpoint, load_state

ROLES = ('bank', 'query')


@dataclass
class Encoder:
    """A checkpoint that is to be evaluated.

    Attributes:
        path (str): The file.
        digest (str): Its SHA-256.
        state (dict): Its weights.
        meta (dict): Its ``epoch``, ``seed`` and so on, where it says so.
    """

    path: str
    digest: str
    state: dict
    meta: dict

    @classmethod
    def load(cls, path: str) -> 'Encoder':
        """Read a checkpoint; FileNotFoundError if there is none."""
        if not Path(path).is_file():
            raise FileNotFoundError(f'{path}: there is no such checkpoint.')
        state = load_state(str(path))
        try:
            meta = load_state(str(path), key='meta')
        except KeyError:  # weights alone
            meta = {}
        known = {key: meta[key] for key in ('epoch', 'iter', 'seed', 'source') if key in meta}
        return cls(str(path), file_digest(str(path)), state, known)


class FeatureData:
    """The clips of a config's bank and query.

    Args:
        cfg (Config): Config with ``test_dataloader`` and ``test_cfg.bank_dataloader``.

    Raises:
        ValueError: If the config tests something else than features.
    """

    def __init__(self, cfg: Config) -> None:
        if 'bank_dataloader' not in (cfg.get('test_cfg') or {}):
            raise ValueError(
                f'{cfg.filename}: its test has no bank_dataloader, so nothing '
                'is compared by features. Give a recipe, a config of MAMP or '
                'STARS, or one of configs/benchmarks/knn or fewshot.'
            )
        check_ann_files(cfg)
        self.cfg = cfg
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

    def digest(self, role: str) -> str:
        """What makes the clips the same: the file, the choice of clips and
        the pipeline, wherever the file lies."""
        settings = Config(dict(dataset=self.loader_cfg(role)['dataset']))
        dataset = settings.to_dict()['dataset']
        for key in ('ann_file', 'subset'):
            path = os.path.join(dataset.get('data_root') or '', dataset.get(key) or '')
            if os.path.isfile(path):
                dataset[key] = file_digest(path)
        dataset.pop('data_root', None)
        return digest(dataset)

    def unturned(self) -> Optional['FeatureData']:
        """The same clips, not turned; None where they are not anyway."""
        cfg = unturned(self.cfg)
        return None if cfg is None else FeatureData(cfg)

    def read(self, model: nn.Module, role: str) -> FeatureSet:
        """Compute features with a model."""
        return extract_features(model.to(get_device()), self.loader(role))


class FeatureStore:
    """Features of an encoder, kept in files by what they were computed from.

    Args:
        folder (Path): Where the files are.
        encoder (Encoder): The checkpoint.
    """

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.folder = Path(folder)
        self.encoder = encoder
        self._models: dict[str, nn.Module] = {}

    def check(self, data: FeatureData) -> None:
        """Raise a ValueError where the encoder does not fit the config, or the config its data."""
        model = self.model(data.cfg)
        for role in ROLES:
            check_dataset(data.loader(role).dataset, model, data.cfg)

    def model(self, cfg: Config) -> nn.Module:
        """The config's model with the encoder."""
        key = digest(cfg.model.to_dict())
        if key not in self._models:
            with DefaultScope.overwrite_default_scope('mmaction'):
                model = MODELS.build(cfg.model)
            if not hasattr(model, 'extract_feat') or hasattr(model, 'cls_head'):
                raise ValueError(
                    f'{cfg.filename}: {type(model).__name__} is a classifier. '
                    'Give a recipe, or a config of MAMP or STARS.'
                )
            check_checkpoint(self.encoder.state, model, self.encoder.path)
            model.load_state_dict(self.encoder.state, strict=False)
            self._models[key] = model.eval()
        return self._models[key]

    def digest(self, data: FeatureData, role: str) -> str:
        """What makes the features the same."""
        model = data.cfg.model.to_dict()
        for key in ('head', 'neck'):  # no feature depends on them
            model.pop(key, None)
        return digest(dict(checkpoint=self.encoder.digest, model=model, data=data.digest(role)))

    def read(self, data: FeatureData) -> dict[str, FeatureSet]:
        """Features of bank and query, from the files where they are there."""
        return {role: self._read(data, role) for role in ROLES}

    def _read(self, data: FeatureData, role: str) -> FeatureSet:
        path = self.folder / f'{self.digest(data, role)}.npz'
        if path.is_file():
            with np.load(path, allow_pickle=False) as arrays:
                names = arrays['names'].tolist()
                return FeatureSet(
                    *(
                        torch.from_numpy(arrays[key])
                        for key in ('features', 'labels', 'sample_idx')
                    ),
                    names or None,
                )
        print_log(
            f'Features of the {role}: {len(data.loader(role).dataset)} clips', logger='current'
        )
        found = data.read(self.model(data.cfg), role)
        with written_whole(path) as partial, open(partial, 'wb') as file:
            np.savez(
                file,
                features=found.features.numpy(),
                labels=found.labels.numpy(),
                sample_idx=found.sample_idx.numpy(),
                names=np.array(found.names or [], dtype=str),
            )
        return found


def read_baselines(data: FeatureData) -> list[tuple]:
    """Rows that need no encoder, to be read one after another: a clip's
    coordinates may take a hundred times the room of its feature.

    Args:
        data (FeatureData): The clips.

    Returns:
        list[tuple[str, callable]]: Name of each row, and a function that
        reads its features of bank and query.
    """
    plain = data.unturned()
    rows = [('raw_unturned', plain, False)] if plain is not None else []
    rows += [('raw', data, False), ('raw_motion', data, True)]

    def reader(clips, motion):
        return lambda: {role: clips.read(RawFeatures(motion), role) for role in ROLES}

    return [(name, reader(clips, motion)) for name, clips, motion in rows]


def digest(content: dict) -> str:
    """A short name of settings, the same whenever they are."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
