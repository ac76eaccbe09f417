"""What can be found wrong before training starts."""

import os.path as osp
from collections.abc import Iterator

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset, InfiniteSampler
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.engine.features import clip_infos
from stars_mm.preparation.annotation_file import missing_file_error
from stars_mm.preparation.inspection.clip_stats import guess_units, measure_clip, unit_fault

#: So many clips tell the size of a data set's bodies.
_MEASURED_CLIPS = 32


def check_pretrained(cfg: Config, model: nn.Module, initialized: bool) -> None:
    """Raise a ValueError where a training that needs a pretrained encoder (``needs_pretrained`` of
    the model or the config) would start from a random one, since neither a checkpoint nor a stage
    comes before (``initialized``)."""
    init_types = [
        (getattr(module, 'init_cfg', None) or {}).get('type') for module in (model, model.backbone)
    ]
    needed = getattr(model, 'needs_pretrained', False) or cfg.get('needs_pretrained')
    if initialized or not needed or cfg.get('allow_random_init') or 'Pretrained' in init_types:
        return
    raise ValueError(
        f'{cfg.filename}: {type(model).__name__} needs a pretrained encoder, and nothing '
        'initialises this one. Give a checkpoint of MAMP or STARS (--cfg-options load_from=PATH), '
        'or name stage 1 in `stages`; for a random encoder on purpose say allow_random_init=True.'
    )


def check_queue(cfg: Config, model: nn.Module, world_size: int) -> None:
    """Raise a ValueError where the queue holds less than one batch."""
    loader = cfg.get('train_dataloader') or {}
    for name in ('head', 'contrast_head'):
        queue = getattr(getattr(model, name, None), 'queue', None)
        if queue is None or 'batch_size' not in loader:
            continue
        clips = loader['batch_size']
        if queue.size < clips * world_size:
            raise ValueError(
                f'{cfg.filename}: model.{name}.queue_size={queue.size} is less than one batch, '
                f'{clips} clips on each of {world_size} processes = {clips * world_size}. Make the '
                'queue larger or train_dataloader.batch_size smaller.'
            )


def check_ann_files(cfg: Config) -> None:
    """Raise a FileNotFoundError where an annotation file is not there."""
    for dataset in _dataset_cfgs(cfg):
        path = osp.join(dataset.get('data_root') or '', dataset['ann_file'])
        if '://' not in path and not osp.isfile(path):
            raise missing_file_error(path)


def check_weights(cfg: Config) -> None:
    """Raise a FileNotFoundError where a checkpoint to start from is not there."""
    for key, path in (('load_from', cfg.get('load_from')), *_pretrained(cfg.model, 'model')):
        if path and '://' not in path and not osp.isfile(path):
            raise FileNotFoundError(f'{cfg.filename}: {key}: there is no checkpoint {path}.')


def _pretrained(part: dict, at: str) -> Iterator[tuple[str, str]]:
    """Where in a model's config checkpoints are named, and these."""
    if part.get('type') == 'Pretrained':
        yield f'{at}.checkpoint', part.get('checkpoint') or ''
    for key, value in part.items():
        if isinstance(value, dict):
            yield from _pretrained(value, f'{at}.{key}')


def check_batches(dataloader: DataLoader, world_size: int, cfg: Config) -> None:
    """Raise a ValueError where an epoch has no batch, or no end."""
    if isinstance(dataloader.sampler, InfiniteSampler):
        raise ValueError(
            f"{cfg.filename}: train_dataloader.sampler.type = 'InfiniteSampler': an epoch would "
            "have no end. It is for train_cfg.type = 'IterBasedTrainLoop'; take DefaultSampler."
        )
    if len(dataloader):
        return
    batch_size, clips = dataloader.batch_size, len(dataloader.dataset)
    raise ValueError(
        f'{cfg.filename}: an epoch has no batch: its {clips} clips are fewer than one batch, '
        f'train_dataloader.batch_size={batch_size} on each of {world_size} processes = '
        f'{batch_size * world_size}, and incomplete batches are dropped. Make batch_size smaller.'
    )


def check_dataset(dataset: BaseDataset, model: nn.Module, cfg: Config) -> None:
    """Check the classes, and the first clip as the pipeline makes it, against the model; of a union
    those of each data set.

    Frames, joints and channels are checked if the backbone tells its own.

    Raises:
        ValueError: If classes, frames, joints, channels or persons do not fit.
    """
    if hasattr(dataset, 'datasets'):
        for one in dataset.datasets:
            check_dataset(one, model, cfg)
        return
    backbone = getattr(model, 'backbone', None)
    path = getattr(dataset, 'ann_file', type(dataset).__name__)
    classes = getattr(dataset, 'num_classes', None)
    expected = getattr(getattr(model, 'cls_head', None), 'num_classes', None)
    if None not in (classes, expected) and classes != expected:
        raise ValueError(
            f'{path}: the data set has num_classes={classes}, but model.cls_head.num_classes='
            f'{expected} in {cfg.filename}. Set the two to the same number.'
        )
    if hasattr(model, 'cls_head'):
        unlabeled = [clip for clip in clip_infos(dataset) if clip.get('label') is None]
        if unlabeled:
            raise ValueError(
                f'{path}: {len(unlabeled)} of {len(dataset)} clips have no label, such as '
                f'{unlabeled[0].get("frame_dir")!r}, and {type(model).__name__} learns labels. '
                'Label them, or name those that have one in a `subset`.'
            )
    _check_unit(dataset, path)
    _, M, T, V, C = dataset[0]['inputs'].shape
    for key, value, axis in (
        ('num_frames', T, 'frames after the pipeline (its clip_len)'),
        ('num_joints', V, 'joints'),
        ('in_channels', C, 'channels'),
    ):
        expected = getattr(backbone, key, value)
        if expected != value:
            raise ValueError(
                f'{path}: its clips have {value} {axis}, but model.backbone.{key}={expected} in '
                f'{cfg.filename}. Set the two to the same number.'
            )
    persons = getattr(dataset, 'max_persons', M)
    if persons > M:
        raise ValueError(
            f'{path}: holds clips of {persons} persons, but the pipeline keeps {M}. Set '
            f'num_person={persons} in FormatGCNInput in {cfg.filename}.'
        )


def _check_unit(dataset: BaseDataset, path: str) -> None:
    """Raise a ValueError where some clips are of a size that contradicts the file's unit."""
    layout = getattr(dataset, 'layout', None)
    if layout is None:
        return
    chosen = np.linspace(0, len(dataset) - 1, min(len(dataset), _MEASURED_CLIPS)).astype(int)
    clips = [dataset.get_data_info(number) for number in chosen.tolist()]
    measured = [measure_clip(clip) for clip in clips]
    reach = max(clip.reach for clip in measured)
    units = guess_units([clip.size for clip in measured], reach, clips[0]['keypoint'].shape[3])
    fault = unit_fault(layout.unit, units)
    if fault:
        raise ValueError(f'{path}: {fault}.')


def _dataset_cfgs(cfg: Config) -> Iterator[dict]:
    loaders = [cfg.get(f'{mode}_dataloader') for mode in ('train', 'val', 'test')]
    loaders += [(cfg.get(f'{mode}_cfg') or {}).get('bank_dataloader') for mode in ('val', 'test')]
    for loader in loaders:
        yield from leaf_datasets((loader or {}).get('dataset') or {})


def leaf_datasets(dataset: dict) -> Iterator[dict]:
    """The configs that name an annotation file in the config of a data set: itself, the one that it
    wraps, or those of a union."""
    for child in [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets', ()):
        yield from leaf_datasets(child)
    if dataset.get('ann_file'):
        yield dataset
