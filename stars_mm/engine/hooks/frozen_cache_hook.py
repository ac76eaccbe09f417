from collections.abc import Iterable
from typing import Any

import torch
from mmaction.models import ActionDataPreprocessor
from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from stars_mm.models.utils.frozen_cache import FrozenCache
from stars_mm.utils.storage import STORAGES, allocate, choose_storage, ranks_here

#: Transforms that make the same of a clip each time, and those that do where
#: the attribute ``random`` is not set.
_CONSTANT = (
    'CenterSkeleton',
    'FormatGCNInput',
    'PackActionInputs',
    'PreNormalize3D',
    'GenSkeFeat',
    'PoseDecode',
)
_CONSTANT_UNLESS_RANDOM = ('TemporalCropResize',)
LOG_INTERVAL = 50  # batches between two lines in the log


@HOOKS.register_module()
class FrozenCacheHook(Hook):
    """Compute what the frozen half of the encoder gives for each clip once,
    before stage 2 starts, instead of in every epoch.

    It does so by itself where nothing changes but the time it takes: if the encoder's first layers
    are frozen, and the pipeline makes the same clip each time. Otherwise, or if there is no room,
    it says why in the log, and the training goes on as without it. Nothing enters a checkpoint; a
    resumed run computes the cache anew.

    Args:
        storage (str): ``'device'`` (memory of the GPU), ``'host'`` (memory), ``'disk'`` (a mapped
            file in the work directory, shared by the processes of a computer; it is gone with
            them), or ``'auto'``, the first of those that has room.
        share (float): How much of what is free there may be taken.
    """

    def __init__(self, storage: str = 'auto', share: float = 0.5) -> None:
        if storage not in ('auto', *STORAGES):
            raise ValueError(f'storage={storage!r} must be "auto" or one of {STORAGES}.')
        if not 0 < share <= 1:
            raise ValueError(f'share={share} must lie in (0, 1].')
        self.storage = storage
        self.share = share

    def before_train(self, runner: Runner) -> None:
        """Fill the cache, if it is exact and fits."""
        model = bare(runner.model)
        loader = runner.train_dataloader
        reason = why_not(model, loader.dataset)
        if reason is None:
            model.eval()  # as the frozen half is in training, too
            with torch.no_grad(), runner.optim_wrapper.optim_context(runner.model):
                cache, reason = self._fill(runner, model, loader)
        if reason is not None:
            runner.logger.info(f'FrozenCacheHook does nothing: {reason}.')
            return
        model.frozen_cache = cache
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            runner.train_loop.dataloader = without_clips(loader)

    def after_train(self, runner: Runner) -> None:
        """Free the cache."""
        model = bare(runner.model)
        if getattr(model, 'frozen_cache', None) is not None:
            model.frozen_cache = None

    def _fill(
        self, runner: Runner, model: nn.Module, loader: DataLoader
    ) -> tuple[FrozenCache | None, str | None]:
        """The filled cache, or None and the reason."""
        dataset, device = loader.dataset, next(model.parameters()).device
        _, M, *person_shape = dataset[0]['inputs'].shape
        storage = None

        def allocate_rows(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
            nonlocal storage
            size = torch.Size(shape).numel() * dtype.itemsize
            wanted = STORAGES if self.storage == 'auto' else (self.storage,)
            storage = choose_storage(size, wanted, self.share, device, runner.work_dir)
            runner.logger.info(
                f'Cache of the frozen layers: {shape[0]} persons, '
                f'{size / 2**30:.2f} GiB ({storage})'
            )
            return allocate(shape, dtype, storage, device, runner.work_dir)

        try:
            cache = FrozenCache(
                model.backbone, most_persons(dataset, M), person_shape, M, allocate_rows
            )
        except MemoryError as error:
            return None, f'there is no room for its cache: {error}'
        clips = range(len(dataset))
        if storage == 'disk':  # shared: each process computes its part
            ranks = ranks_here()
            clips = clips[ranks.index(runner.rank) :: len(ranks)]
        self._compute(
            runner,
            model,
            cache,
            DataLoader(
                Subset(dataset, clips),
                batch_size=loader.batch_size or 32,
                num_workers=loader.num_workers,
                collate_fn=loader.collate_fn,
            ),
        )
        all_reduce(cache.slots, 'max')
        return cache, None

    @staticmethod
    def _compute(runner: Runner, model: nn.Module, cache: FrozenCache, batches: DataLoader) -> None:
        for number, batch in enumerate(batches):
            if number % LOG_INTERVAL == 0:
                runner.logger.info(f'Frozen layers: batch {number}/{len(batches)}')
            data = model.data_preprocessor(batch, training=True)
            sample_idx = [s.sample_idx for s in data['data_samples']]
            # of identical views, the first
            cache.put(data['inputs'][:, 0], torch.tensor(sample_idx))


class _Indices(Dataset):
    """Stands in for a data set whose clips nobody will read."""

    def __init__(self, dataset: Dataset) -> None:
        *_, V, C = dataset[0]['inputs'].shape
        self.length = len(dataset)
        self.clip = torch.zeros(1, 1, 1, V, C)  # (clips, M, T, V, C)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, idx: int) -> dict:
        return dict(inputs=self.clip, data_samples=ActionDataSample(metainfo=dict(sample_idx=idx)))


def without_clips(loader: DataLoader) -> DataLoader:
    """The same batches of the same samples, without their clips."""
    return DataLoader(
        _Indices(loader.dataset),
        batch_sampler=loader.batch_sampler,
        collate_fn=pseudo_collate,
        generator=loader.generator,
    )


def why_not(model: nn.Module, dataset: Any) -> str | None:
    """Why the frozen half cannot be cached; None where it can.

    Args:
        model (nn.Module): The bare model.
        dataset (Any): The training data.
    """
    if not hasattr(model, 'frozen_cache'):
        return f'{type(model).__name__} is not stage 2'
    if model.with_teacher:
        return 'the teacher needs the clips'
    if not hasattr(model.backbone, 'num_frozen_layers'):
        return (
            f'{type(model.backbone).__name__} does not say which of its '
            'layers are frozen (num_frozen_layers)'
        )
    if not model.backbone.num_frozen_layers:
        return 'no layer of the encoder is frozen, or it drops at random'
    if not isinstance(model.data_preprocessor, ActionDataPreprocessor) or (
        model.data_preprocessor.blending is not None
    ):
        return 'the data preprocessor may change the clips'
    if not isinstance(dataset, BaseDataset):
        return f'{type(dataset).__name__} may repeat or mix clips'
    moving = changing_transform(dataset.pipeline.transforms)
    if moving is not None:
        return f'{moving} may change a clip from epoch to epoch'
    return None


def changing_transform(transforms: Iterable[Any]) -> str | None:
    """The first transform that is not known to make the same of a clip each
    time; None where all are."""
    for transform in transforms:
        name = type(transform).__name__
        if name in ('MultiView', 'PackViews'):
            name = changing_transform(transform.transforms)
        elif name in _CONSTANT or (name in _CONSTANT_UNLESS_RANDOM and not transform.random):
            name = None
        if name is not None:
            return name
    return None


def most_persons(dataset: BaseDataset, num_slots: int) -> list[int]:
    """The most persons that each clip can hold after the pipeline."""
    clips = (dataset.get_data_info(i) for i in range(len(dataset)))
    return [
        min(len(clip['keypoint']), num_slots) if 'keypoint' in clip else num_slots for clip in clips
    ]


def bare(model: nn.Module) -> nn.Module:
    """The model without its distributed wrapper."""
    return model.module if is_model_wrapper(model) else model
