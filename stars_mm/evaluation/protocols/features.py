"""From a checkpoint to the features of a config's clips: the one reader, and its files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger, print_log
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, set_random_seed
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.engine.features import ClipList, FeatureSet, extract_features
from stars_mm.engine.runner.checks import check_ann_files, check_dataset
from stars_mm.evaluation.functional.feature_space import FEATURE_SPACES, compare_spaces
from stars_mm.evaluation.part_features import PartFeatures
from stars_mm.evaluation.protocols.cache_key import cache_key, dataset_key, file_digest
from stars_mm.preparation.inspection.faults import class_list
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.checkpoint import check_checkpoint
from stars_mm.utils.checkpoint_sources import local_file
from stars_mm.utils.input_error import reading
from stars_mm.utils.progress import progress
from stars_mm.utils.safe_arrays import load_npz
from stars_mm.utils.weights_file import read_weights

ROLES = ('bank', 'query')
BankAndQuery = dict[str, FeatureSet]

PUBLISHED = 'published'  # the mean over all tokens, compared as it is
#: What is compared of every encoder: that, and spaces of ``FEATURE_SPACES``.
ENCODER_ROWS = (PUBLISHED, 'joints', 'combined', 'combined_pulled')
#: What is compared of the clips alone.
GEOMETRY_ROWS = ('geometry', 'geometry_pulled')


class Encoder(NamedTuple):
    """A checkpoint that is to be evaluated: its file, SHA-256, weights, and ``epoch``, ``seed`` and
    so on, where it says so."""

    path: str
    digest: str
    state: dict
    meta: dict

    @classmethod
    def load(cls, path: str | Path) -> 'Encoder':
        """Read a checkpoint, wherever it is: see :func:`local_file`."""
        file = local_file(path)
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
        return class_list(store.extra.get('class_names'))

    def check(self, encoder: Encoder) -> None:
        """Raise a ValueError where the encoder does not fit the config, or the config its data."""
        model = encoder.build_model(self.cfg)
        for role in ROLES:
            check_dataset(self.loader(role).dataset, model, self.cfg)

    def read(self, model: nn.Module) -> BankAndQuery:
        """Compute the features of the ``bank`` and the ``query`` by a model."""
        return {role: self.compute(model, role) for role in ROLES}

    def read_encoder(
        self, encoder: Encoder, cfg: Config | None = None, rows: Sequence[str] = ENCODER_ROWS
    ) -> dict[str, BankAndQuery]:
        """Row → features by a checkpoint, some of ``ENCODER_ROWS``, from the files where they are
        there; ``cfg`` is that of its model, where it is not this one."""
        cfg = cfg or self.cfg
        return self._read_rows(self.key(encoder, cfg, rows), lambda: encoder.build_model(cfg), rows)

    def read_random(
        self, seed: int, cfg: Config | None = None, rows: Sequence[str] = ENCODER_ROWS
    ) -> dict[str, BankAndQuery]:
        """The same of the untrained model, its weights drawn by the seed."""
        cfg = cfg or self.cfg
        key = self._key(dict(model=_encoder_cfg(cfg), random=seed, rows=rows))
        return self._read_rows(key, lambda: build_random_model(cfg, seed), rows)

    def read_geometry(self) -> dict[str, BankAndQuery]:
        """Row → features of ``GEOMETRY_ROWS``, of the clips alone."""
        return self._read_rows(self._key(dict(rows=GEOMETRY_ROWS)), lambda: None, GEOMETRY_ROWS)

    def key(
        self, encoder: Encoder, cfg: Config | None = None, rows: Sequence[str] = ENCODER_ROWS
    ) -> str:
        """What makes features by a checkpoint the same."""
        model = _encoder_cfg(cfg or self.cfg)
        return self._key(dict(checkpoint=encoder.digest, model=model, rows=rows))

    def _key(self, source: dict) -> str:
        return cache_key(dict(source, data={role: self.clip_key(role) for role in ROLES}))

    def _read_rows(
        self, key: str, build: Callable[[], nn.Module | None], rows: Sequence[str]
    ) -> dict[str, BankAndQuery]:
        """Features by row, computed in one pass over the clips or read back."""
        path = self.folder and self.folder / f'{key}.npz'
        if path and path.is_file():
            return _read_features(path)
        spaces = [row for row in rows if row != PUBLISHED]
        parts = {part for space in spaces for part in FEATURE_SPACES[space]['parts']}
        parts |= {PUBLISHED} & set(rows)
        model = PartFeatures(sorted(parts), build())
        whole = self.read(model)
        bank, query = (model.split(whole[role].features) for role in ROLES)
        found = {row: (bank[row].clone(), query[row].clone()) for row in rows if row == PUBLISHED}
        found.update(compare_spaces(spaces, bank, query))
        features = {
            row: {role: replace(whole[role], features=x) for role, x in zip(ROLES, found[row])}
            for row in rows
        }
        if path:
            _write_features(path, features)
        return features

    def clip_key(self, role: str) -> dict:
        """What makes clips the same, wherever their file lies: its content, the choice of clips,
        and the pipeline."""
        return dataset_key(Config(dict(self.loader_cfg(role))).to_dict()['dataset'])

    def compute(self, model: nn.Module, role: str) -> FeatureSet:
        """Compute the features of the bank or the query by a model."""
        loader = self.loader(role)
        name = type(getattr(model, 'encoder', None) or model).__name__
        print_log(f'{name}: features of the {role}, {len(loader.dataset)} clips', logger='current')
        batches = progress(loader, what=f'batches of the {role} encoded')
        return extract_features(model.to(get_device()), batches)


def build_random_model(cfg: Config, seed: int) -> nn.Module:
    """An untrained model of a config in evaluation mode, its weights drawn by the seed; what its
    ``init_cfg`` would load is left."""
    set_random_seed(seed)
    model_cfg = Config(cfg.to_dict()).model
    for part in (model_cfg, model_cfg.get('backbone') or {}):
        if (part.get('init_cfg') or {}).get('type') == 'Pretrained':
            part.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(model_cfg)
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')  # it would list every parameter
    model.init_weights()
    logger.setLevel(level)
    return model.eval()


def _encoder_cfg(cfg: Config) -> dict:
    model = cfg.model.to_dict()
    for key in ('head', 'neck'):  # no feature depends on them
        model.pop(key, None)
    return model


def _read_features(path: Path) -> dict[str, BankAndQuery]:
    """What :func:`_write_features` wrote."""
    found: dict[str, BankAndQuery] = {}
    with reading(path, 'Remove it: it is computed again.'):
        arrays = load_npz(path)
        about = {
            role: dict(
                labels=torch.from_numpy(arrays[f'{role}/labels']),
                sample_idx=torch.from_numpy(arrays[f'{role}/sample_idx']),
                names=arrays[f'{role}/names'].tolist() or None,
            )
            for role in ROLES
        }
        for name in arrays:
            role, _, row = name.partition('/features/')
            if row:
                features = FeatureSet(torch.from_numpy(arrays[name]), **about[role])
                _check_features(features)
                found.setdefault(row, {})[role] = features
    return found


def _check_features(found: FeatureSet) -> None:
    N = len(found.features)
    counts = {len(part) for part in (found.labels, found.sample_idx, found.names or range(N))}
    if counts != {N} or not found.features.isfinite().all():
        raise ValueError(f'{N} features belong to {counts} clips, or are not finite')


def _write_features(path: Path, found: dict[str, BankAndQuery]) -> None:
    """Write the features of all rows, and what their clips are once."""
    arrays = {}
    for row, features in found.items():
        for role, own in features.items():
            arrays[f'{role}/features/{row}'] = own.features.numpy()
            arrays[f'{role}/labels'] = own.labels.numpy()
            arrays[f'{role}/sample_idx'] = own.sample_idx.numpy()
            arrays[f'{role}/names'] = np.array(own.names or [], dtype=str)
    with written_whole(path) as partial, open(partial, 'wb') as file:
        np.savez(file, **arrays)
