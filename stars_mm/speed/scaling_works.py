"""What is timed on several processes: both stages' steps as a config trains
them, features of a data set, and their neighbours."""
import tempfile
from dataclasses import dataclass
from functools import partial
from typing import Callable, Dict, List, Optional

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch import distributed as dist
from torch.utils.data import DataLoader, Dataset

from mmaction.registry import METRICS, RUNNERS
from mmaction.structures import ActionDataSample
from ..engine.features import FeatureSet
from ..engine.hooks import PerTensorGradClipHook
from ..engine.runner import FeatureTestLoop
from ..engine.runner.stages import build_stage_cfg
from ..models.utils.frozen_cache import FrozenCache
from .measure import Work
from .scaling import make_row, together
from .traffic import look_at_traffic
from .works import NTU60_TRAIN, Sizes, draw_clips

WORKS = ('stage1', 'stage2', 'cached', 'features', 'knn')
WARM_UP = 3  # runs: DDP orders its buckets in the second
_BASE_CLIPS = 16  # different clips in a data set

_TINY = {
    'model.backbone.embed_dims': 16, 'model.backbone.depth': 2,
    'model.backbone.num_heads': 2, 'model.backbone.num_frames': 16}
_TINY_STAGE1 = dict(_TINY, **{
    'model.neck.embed_dims': 16, 'model.neck.num_heads': 2,
    'model.neck.depth': 1})
_TINY_STAGE2 = dict(_TINY, **{
    'model.head.in_channels': 16, 'model.head.hidden_channels': 24,
    'model.head.queue_size': 64,
    'optim_wrapper.paramwise_cfg.num_trainable_layers': 1})


@dataclass
class Scale:
    """What is measured.

    Attributes:
        config (str): A two-stage config.
        batch (int): Clips of a step on each process.
        single (float): Share of the clips with one person.
        clips (int): Clips on each process whose features are computed.
        bank (int): Features, on all processes together, in which neighbours
            are sought.
        queries (int): Features on each process whose neighbours are sought.
        repeats (int): How often each work is timed.
        bucket_mib (float, optional): Size of the buckets in which gradients
            are all-reduced, MiB; by default the runner's.
        tiny (bool): Whether small models stand in for those of the config.
    """

    config: str
    batch: int = 8
    single: float = 0.8
    clips: int = 32
    bank: int = NTU60_TRAIN
    queries: int = 1024
    repeats: int = 5
    bucket_mib: Optional[float] = None
    tiny: bool = False


def measure(works: List[str], scale: Scale, launcher: str,
            progress: Callable[[str], None]) -> List[dict]:
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
        stages: Dict[int, Stage] = {}
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


def load_configs(scale: Scale, launcher: str, folder: str) -> List[Config]:
    """The configs of both stages, as the staged runner reads them.

    Args:
        scale (Scale): What is measured.
        launcher (str): What started the processes.
        folder (str): A work directory that nobody will look into.

    Raises:
        ValueError: If the config is not one of two stages.
        FileNotFoundError: If there is no such config.
    """
    cfg = Config.fromfile(scale.config)
    if len(cfg.get('stages') or []) != 1:
        raise ValueError(
            f'{scale.config} names no first stage: give a config of the whole '
            'recipe, such as configs/stars_ntu60.py.')
    common = {'log_level': 'ERROR', 'default_hooks.logger': None}
    if scale.bucket_mib is not None:
        common['model_wrapper_cfg'] = dict(
            type='MMDistributedDataParallel', broadcast_buffers=False,
            bucket_cap_mb=scale.bucket_mib)
    cfg.merge_from_dict(dict(
        launcher=launcher, work_dir=folder, resume=False,
        randomness=dict(seed=0), **common,
        **(_TINY_STAGE2 if scale.tiny else {})))
    stage = dict(cfg.stages[0])
    if scale.tiny:
        stage['options'] = dict(stage.get('options') or {}, **_TINY_STAGE1)
    first = build_stage_cfg(cfg, stage, folder)
    first.merge_from_dict(common)
    return [first, cfg]


class Stage:
    """A stage with the runner's model, wrapper and optimizer.

    The learning rate is 0: each step does the same work from the same
    weights, and a step without all-reduce leaves the processes alike.

    Args:
        cfg (Config): The stage's config.
        scale (Scale): What is measured.
    """

    def __init__(self, cfg: Config, scale: Scale) -> None:
        self.runner = RUNNERS.build(cfg)
        self.model = self.runner.model.train()
        self.bare = self.runner.bare_model
        self.batch = scale.batch
        self.device = next(self.bare.parameters()).device
        backbone = self.bare.backbone
        torch.manual_seed(get_rank())
        self.clips = draw_clips(Sizes(
            scale.batch, scale.single, num_frames=backbone.num_frames,
            num_joints=backbone.num_joints))  # (N, 1, M, T, V, C)
        self.traffic = look_at_traffic(
            self.bare, partial(self.runner.wrap_model,
                               cfg.get('model_wrapper_cfg')), self.data())
        self.optim_wrapper = self.runner.build_optim_wrapper(
            self.runner.optim_wrapper)
        self.runner.optim_wrapper = self.optim_wrapper
        for group in self.optim_wrapper.param_groups:
            group['lr'] = 0.
        for hook in self.runner.hooks:
            if isinstance(hook, PerTensorGradClipHook):
                hook.before_train(self.runner)
        self.runner._maybe_compile('train_step')

    def data(self, clips: Optional[Tensor] = None) -> dict:
        """A batch of this process, as a loader gives it."""
        clips = self.clips if clips is None else clips
        first = get_rank() * self.batch
        return dict(
            inputs=list(clips),
            data_samples=[_sample(first + n) for n in range(len(clips))])

    def step(self, data: dict) -> Work:
        """The work of an ordinary step."""
        return lambda: self.model.train_step(data, self.optim_wrapper)

    def step_alone(self, data: dict) -> Work:
        """The work of a step whose gradients stay where they are."""

        def work() -> None:
            with self.model.no_sync():
                self.model.train_step(data, self.optim_wrapper)

        return work

    def reduce(self) -> Work:
        """The work of all-reducing the gradients, bucket by bucket."""
        buckets = [torch.zeros(size // 4, device=self.device)
                   for size in self.traffic['bucket_bytes']]

        def work() -> None:
            sent = [dist.all_reduce(bucket, async_op=True)
                    for bucket in buckets]
            for one in sent:
                one.wait()

        return work


def time_step(name: str, stage: Stage, scale: Scale,
              progress: Callable[[str], None]) -> dict:
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
    row = make_row(name, get_world_size(), get_world_size() * scale.batch,
                   times)
    broadcasts = getattr(stage.model, 'broadcast_buffers', False)
    return dict(row, **stage.traffic, broadcast_buffers=broadcasts,
                batch=scale.batch)


def head_works(stage: Stage) -> Dict[str, Work]:
    """What the contrastive head does besides its two layers: the search in
    the queue, the loss forwards and backwards, the queue's update."""
    head = stage.bare.head
    projections, predictions = (
        F.normalize(torch.randn(stage.batch, head.in_channels,
                                device=stage.device)) for _ in range(2))
    predictions.requires_grad_()
    first = get_rank() * stage.batch
    sample_idx = torch.arange(first, first + stage.batch, device=stage.device)
    found = head.neighbours(projections, sample_idx)
    return dict(
        search=lambda: head.neighbours(projections, sample_idx),
        loss=lambda: head.contrast(found, predictions).backward(),
        push=lambda: head.remember(projections, sample_idx))


def fill_cache(stage: Stage) -> FrozenCache:
    """What the frozen half gives for the batches of all processes."""
    clips, world = stage.clips[:, 0].to(stage.device), get_world_size()
    persons = (clips != 0).flatten(2).any(-1).sum(1).tolist()
    first = get_rank() * stage.batch
    stage.bare.eval()
    with torch.no_grad(), stage.optim_wrapper.optim_context(stage.model):
        cache = FrozenCache(
            stage.bare.backbone, persons * world, clips.shape[2:],
            clips.shape[1], lambda shape, dtype: torch.empty(
                shape, dtype=dtype, device=stage.device))
        cache.put(clips, torch.arange(first, first + stage.batch))
    stage.model.train()
    return cache


def time_features(stage: Stage, scale: Scale,
                  progress: Callable[[str], None]) -> dict:
    """Row of FeatureTestLoop: half of the clips are the bank, the others are
    judged by their nearest neighbour; collecting them is counted."""
    world, runner = get_world_size(), stage.runner
    half = max(scale.clips // 2, 1) * world
    loaders = [DataLoader(
        _Clips(half, stage.clips), batch_size=scale.batch,
        sampler=DefaultSampler(_Clips(half, stage.clips), shuffle=False),
        collate_fn=pseudo_collate) for _ in range(2)]
    runner._test_loop = FeatureTestLoop(
        runner, *loaders, dict(type='KNNMetric', topk_neighbors=(1, )))
    times = time_works(dict(step=runner.test_loop.run), stage, scale, progress,
                       warm_up=1)
    stage.model.train()
    return make_row('features', world, 2 * half, times)


def time_neighbours(stage: Stage, scale: Scale,
                    progress: Callable[[str], None]) -> dict:
    """Row of KNNMetric, from each process's features to the accuracy."""
    world, rank = get_world_size(), get_rank()
    metric = METRICS.build(dict(type='KNNMetric', topk_neighbors=(1, )))
    channels = stage.bare.backbone.embed_dims
    parts = [
        (role, FeatureSet(torch.randn(len(places), channels), places % 60,
                          places))
        for role, places in (
            ('bank', torch.arange(rank, scale.bank, world)),
            ('query', torch.arange(rank, scale.queries * world, world)))
    ]

    def work() -> None:
        metric.results = list(parts)
        metric.evaluate(scale.bank + scale.queries * world)

    times = time_works(dict(step=work), stage, scale, progress, warm_up=1)
    return make_row('knn', world, scale.queries * world, times)


def time_works(works: Dict[str, Work], stage: Stage, scale: Scale,
               progress: Callable[[str], None],
               warm_up: int = WARM_UP) -> Dict[str, List[float]]:
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
        return dict(inputs=self.clips[idx % len(self.clips)],
                    data_samples=_sample(idx))


def _sample(idx: int) -> ActionDataSample:
    sample = ActionDataSample(metainfo=dict(sample_idx=idx))
    return sample.set_gt_label(idx % 60)


def _tell(progress: Callable[[str], None], work: str, text: str) -> None:
    progress(f'{work} {text}')
