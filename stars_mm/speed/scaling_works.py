"""What is timed on several processes: both stages' steps, features of a data
set, and their neighbours."""

import tempfile
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from mmaction.registry import METRICS
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stars_mm.engine.features import FeatureSet
from stars_mm.engine.runner import FeatureTestLoop
from stars_mm.models.utils.frozen_cache import FrozenCache
from stars_mm.speed.measure import Work
from stars_mm.speed.scaling import make_row, together
from stars_mm.speed.scaling_stage import Scale, Stage, clip_sample, load_configs

WORKS = ('stage1', 'stage2', 'cached', 'features', 'knn')
WARM_UP = 3  # runs: DDP orders its buckets in the second
_BASE_CLIPS = 16  # different clips in a data set


def measure(
    works: list[str], scale: Scale, launcher: str, progress: Callable[[str], None]
) -> list[dict]:
    """Measure on the processes that there are; all of them call this.

    Args:
        works (list[str]): Some of :data:`WORKS`.
        scale (Scale): What is measured.
        launcher (str): What started the processes, as for the runner.
        progress (Callable): Is told what comes next.

    Returns:
        list[dict]: A row for each work.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cfgs = load_configs(scale, launcher, folder)
        stages: dict[int, Stage] = {}
        for work in works:
            number = 0 if work == 'stage1' else 1
            if number not in stages:
                progress(f'{work}: models')
                stages.clear()
                stages[number] = Stage(cfgs[number], scale)
            stage = stages[number]
            tell = partial(_tell, progress, work)
            if work == 'features':
                rows.append(time_features(stage, scale, tell))
            elif work == 'knn':
                rows.append(time_neighbours(stage, scale, tell))
            else:
                rows.append(time_step(work, stage, scale, tell))
    return rows


def time_step(name: str, stage: Stage, scale: Scale, progress: Callable[[str], None]) -> dict:
    """Row of a training step, and of the parts of stage 2's."""
    data = stage.data()
    if name == 'cached':
        stage.bare.frozen_cache = fill_cache(stage)
        data = stage.data(stage.clips.new_zeros(scale.batch, 1, 1, 1, 1, 3))
    works = dict(step=stage.step(data))
    if get_world_size() > 1:
        works.update(no_sync=stage.step_alone(data), reduce=stage.reduce())
    if name != 'stage1':
        works.update(head_works(stage))
    try:
        times = time_works(works, stage, scale, progress)
    finally:
        if name == 'cached':
            stage.bare.frozen_cache = None
    row = make_row(name, get_world_size(), get_world_size() * scale.batch, times)
    broadcasts = getattr(stage.model, 'broadcast_buffers', False)
    return dict(row, **stage.traffic, broadcast_buffers=broadcasts, batch=scale.batch)


def head_works(stage: Stage) -> dict[str, Work]:
    """What the contrastive head does besides its two layers: the search in
    the queue, the loss forwards and backwards, the queue's update."""
    head = stage.bare.head
    projections, predictions = (
        F.normalize(torch.randn(stage.batch, head.in_channels, device=stage.device))
        for _ in range(2)
    )
    predictions.requires_grad_()
    first = get_rank() * stage.batch
    sample_idx = torch.arange(first, first + stage.batch, device=stage.device)
    found = head.neighbours(projections, sample_idx)
    return dict(
        search=lambda: head.neighbours(projections, sample_idx),
        loss=lambda: head.contrast(found, predictions).backward(),
        push=lambda: head.remember(projections, sample_idx),
    )


def fill_cache(stage: Stage) -> FrozenCache:
    """What the frozen half gives for the batches of all processes."""
    clips, world = stage.clips[:, 0].to(stage.device), get_world_size()
    persons = (clips != 0).flatten(2).any(-1).sum(1).tolist()
    first = get_rank() * stage.batch
    stage.bare.eval()
    with torch.no_grad(), stage.optim_wrapper.optim_context(stage.model):
        cache = FrozenCache(
            stage.bare.backbone,
            persons * world,
            clips.shape[2:],
            clips.shape[1],
            lambda shape, dtype: torch.empty(shape, dtype=dtype, device=stage.device),
        )
        cache.put(clips, torch.arange(first, first + stage.batch))
    stage.model.train()
    return cache


def time_features(stage: Stage, scale: Scale, progress: Callable[[str], None]) -> dict:
    """Row of FeatureTestLoop: half of the clips are the bank, the others are
    judged by their nearest neighbour; collecting them is counted."""
    world, runner = get_world_size(), stage.runner
    half = max(scale.clips // 2, 1) * world
    loaders = [
        DataLoader(
            _Clips(half, stage.clips),
            batch_size=scale.batch,
            sampler=DefaultSampler(_Clips(half, stage.clips), shuffle=False),
            collate_fn=pseudo_collate,
        )
        for _ in range(2)
    ]
    runner._test_loop = FeatureTestLoop(
        runner, *loaders, dict(type='KNNMetric', topk_neighbors=(1,))
    )
    times = time_works(dict(step=runner.test_loop.run), stage, scale, progress, warm_up=1)
    stage.model.train()
    return make_row('features', world, 2 * half, times)


def time_neighbours(stage: Stage, scale: Scale, progress: Callable[[str], None]) -> dict:
    """Row of KNNMetric, from each process's features to the accuracy."""
    world, rank = get_world_size(), get_rank()
    metric = METRICS.build(dict(type='KNNMetric', topk_neighbors=(1,)))
    channels = stage.bare.backbone.embed_dims
    parts = [
        (role, FeatureSet(torch.randn(len(places), channels), places % 60, places))
        for role, places in (
            ('bank', torch.arange(rank, scale.bank, world)),
            ('query', torch.arange(rank, scale.queries * world, world)),
        )
    ]

    def work() -> None:
        metric.results = list(parts)
        metric.evaluate(scale.bank + scale.queries * world)

    times = time_works(dict(step=work), stage, scale, progress, warm_up=1)
    return make_row('knn', world, scale.queries * world, times)


def time_works(
    works: dict[str, Work],
    stage: Stage,
    scale: Scale,
    progress: Callable[[str], None],
    warm_up: int = WARM_UP,
) -> dict[str, list[float]]:
    """Seconds of works that have run before."""
    for name, work in works.items():
        progress(f'{name}: warm-up')
        for _ in range(warm_up):
            work()
    return together(works, scale.repeats, stage.device, progress)


class _Clips(Dataset):
    """A data set of a few clips, over and over."""

    def __init__(self, length: int, clips: Tensor) -> None:
        self.length = length
        self.clips = clips[:_BASE_CLIPS]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, idx: int) -> dict:
        return dict(inputs=self.clips[idx % len(self.clips)], data_samples=clip_sample(idx))


def _tell(progress: Callable[[str], None], work: str, text: str) -> None:
    progress(f'{work} {text}')
