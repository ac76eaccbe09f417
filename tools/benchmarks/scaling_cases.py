"""What is timed on several processes: both stages' steps, features of a data set, and their
neighbors."""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import torch
import torch.nn.functional as F
from mmaction.registry import METRICS, RUNNERS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.dist import all_reduce, barrier, get_rank, get_world_size
from scaling_rows import make_row
from speed_cases import NTU60_TRAIN, Sizes, draw_clips
from timing import Call, seconds_of
from torch import Tensor
from torch import distributed as dist
from torch.utils.data import DataLoader

from stars_mm.engine.features import FeatureSet
from stars_mm.engine.hooks import PerTensorGradClipHook
from stars_mm.engine.runner import FeatureTestLoop
from stars_mm.engine.runner.stages import build_stage_cfg
from stars_mm.models.utils.gather import gather_without_grad

Progress = Callable[[str], None]
WARM_UP = 3  # runs: DDP orders its buckets in the second
BASE_CLIPS = 16  # different clips in a data set
TINY = {f'model.backbone.{k}': v for k, v in dict(embed_dims=16, depth=2, num_heads=2).items()}
TINY_STAGE1 = {f'model.neck.{k}': v for k, v in dict(embed_dims=16, depth=1, num_heads=2).items()}
TINY_STAGE2 = {
    f'model.head.{k}': v for k, v in dict(in_channels=16, hidden_channels=24, queue_size=64).items()
}


@dataclass
class Scale:
    """What is measured."""

    config: str  # of two stages
    batch: int = 8  # clips of a step on each process
    clips: int = 32  # on each process whose features are computed
    bank: int = NTU60_TRAIN  # features, on all processes together, in which neighbors are sought
    queries: int = 1024  # features on each process whose neighbors are sought
    repeats: int = 5  # how often each work is timed
    bucket_mib: float | None = None  # of the all-reduced gradients; by default the runner's
    tiny: bool = False  # whether small models stand in for those of the config


def load_configs(scale: Scale, launcher: str, folder: str) -> list[Config]:
    """The configs of both stages, as the staged runner reads them, with a work directory that
    nobody will look into; a ValueError if the config is not one of two stages."""
    cfg = Config.fromfile(scale.config)
    if len(cfg.get('stages') or []) != 1:
        raise ValueError(
            f'{scale.config} names no first stage: give a config of the whole '
            'recipe, such as configs/stars_ntu60.py.'
        )
    common = {'log_level': 'ERROR', 'default_hooks.logger': None}
    if scale.bucket_mib is not None:
        wrapper = dict(type='MMDistributedDataParallel', broadcast_buffers=False)
        common['model_wrapper_cfg'] = dict(wrapper, bucket_cap_mb=scale.bucket_mib)
    if scale.tiny:
        common.update(TINY, **{'model.backbone.num_frames': 16})
    cfg.merge_from_dict(
        dict(launcher=launcher, work_dir=folder, resume=False, randomness=dict(seed=0), **common)
    )
    first = build_stage_cfg(cfg, cfg.stages[0], folder)
    first.merge_from_dict(common)
    if scale.tiny:
        first.merge_from_dict(TINY_STAGE1)
        cfg.merge_from_dict(TINY_STAGE2)
        cfg.merge_from_dict({'optim_wrapper.paramwise_cfg.num_trainable_layers': 1})
    return [first, cfg]


class Stage:
    """A stage with the runner's model, wrapper and optimizer; ``tell`` is told what comes next.

    The learning rate is 0: each step does the same work from the same
    weights, and a step without all-reduce leaves the processes alike.
    """

    def __init__(self, cfg: Config, scale: Scale, tell: Progress) -> None:
        self.runner = RUNNERS.build(cfg)
        self.model = self.runner.model.train()
        self.bare = self.runner.bare_model
        self.scale = scale
        self.tell = tell
        self.device = next(self.bare.parameters()).device
        backbone = self.bare.backbone
        sizes = Sizes(scale.batch, num_frames=backbone.num_frames, num_joints=backbone.num_joints)
        torch.manual_seed(get_rank())
        self.clips = draw_clips(sizes)  # (N, 1, M, T, V, C)
        samples = [clip_sample(get_rank() * scale.batch + n) for n in range(scale.batch)]
        self.data = dict(inputs=list(self.clips), data_samples=samples)
        self.optim_wrapper = self.runner.build_optim_wrapper(self.runner.optim_wrapper)
        self.runner.optim_wrapper = self.optim_wrapper
        for group in self.optim_wrapper.param_groups:
            group['lr'] = 0.0
        for hook in self.runner.hooks:
            if isinstance(hook, PerTensorGradClipHook):
                hook.before_train(self.runner)
        self.runner._maybe_compile('train_step')

    def step(self) -> None:
        """An ordinary step."""
        self.model.train_step(self.data, self.optim_wrapper)

    def step_alone(self) -> None:
        """A step whose gradients stay where they are."""
        with self.model.no_sync():
            self.step()

    def bucket_bytes(self) -> list[int]:
        """Sizes of the gradients' buckets in the order in which DDP sends them."""
        if get_world_size() == 1:
            return []
        for _ in range(WARM_UP):  # after the first step DDP orders them
            self.step()
        sizes = self.model._get_ddp_logging_data()['rebuilt_bucket_sizes']
        return [int(size) for size in sizes.split(', ')]

    def reduce(self, bucket_bytes: list[int]) -> Call:
        """The call that all-reduces zeros of the gradients' bytes, bucket by bucket."""
        buckets = [torch.zeros(size // 4, device=self.device) for size in bucket_bytes]

        def call() -> None:
            for sent in [dist.all_reduce(bucket, async_op=True) for bucket in buckets]:
                sent.wait()

        return call

    def time(self, calls: dict[str, Call], warm_up: int = WARM_UP) -> dict[str, list[float]]:
        """Time calls in turn, all processes beginning each at once: seconds of each run, those of
        the slowest process."""
        for name, call in calls.items():
            self.tell(f'{name}: warm-up')
            for _ in range(warm_up):
                call()
        repeats = self.scale.repeats
        times = torch.zeros(repeats, len(calls), dtype=torch.float64)
        for turn in range(repeats):
            for place, (name, call) in enumerate(calls.items()):
                self.tell(f'{name}: {turn + 1}/{repeats}')
                barrier()
                times[turn, place] = seconds_of(call).clock
        all_reduce(times, 'max')
        return dict(zip(calls, times.t().tolist()))


def measure(works: list[str], scale: Scale, launcher: str, progress: Progress) -> list[dict]:
    """A row for each work, some of :data:`CASES`, on the processes that there are; all of them call
    this."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cfgs = load_configs(scale, launcher, folder)
        stages: dict[int, Stage] = {}
        for work in works:
            number = 0 if work == 'stage1' else 1
            if number not in stages:
                progress(f'{work}: models')
                stages = {number: Stage(cfgs[number], scale, progress)}
            stages[number].tell = lambda text, work=work: progress(f'{work} {text}')
            clips, times, more = CASES[work](stages[number], scale)
            rows.append(dict(make_row(work, get_world_size(), clips, times), **more))
    return rows


def training_step(stage: Stage, scale: Scale) -> tuple[int, dict, dict]:
    """A training step, and the parts of stage 2's."""
    buckets = stage.bucket_bytes()
    with counted_collectives() as sent:
        stage.step()
    calls = dict(step=stage.step)
    if buckets:
        calls.update(no_sync=stage.step_alone, reduce=stage.reduce(buckets))
    if hasattr(stage.bare.head, 'queue'):
        calls.update(head_parts(stage))
    more = dict(
        gradient_bytes=sum(p.nbytes for p in stage.bare.parameters() if p.requires_grad),
        bucket_bytes=buckets,
        broadcast_buffers=getattr(stage.model, 'broadcast_buffers', False),
        batch=scale.batch,
        **{f'{name}_bytes': count for name, count in sent.items()},
    )
    return get_world_size() * scale.batch, stage.time(calls), more


@contextmanager
def counted_collectives() -> Iterator[dict[str, int]]:
    """Counts the bytes of the tensors that this process hands to collectives; to ``all_gather``,
    what this process contributes. DDP's own transfers do not pass here."""
    sent = dict.fromkeys(('all_gather', 'all_reduce', 'broadcast'), 0)

    def counting(name: str) -> Callable:
        original = getattr(dist, name)

        def collective(first, *args, **kwargs):
            sent[name] += (args[0] if name == 'all_gather' else first).nbytes
            return original(first, *args, **kwargs)

        return collective

    with mock.patch.multiple(dist, **{name: counting(name) for name in sent}):
        yield sent


def head_parts(stage: Stage) -> dict[str, Call]:
    """What the contrastive head does besides its two layers: the search in
    the queue, the loss forwards and backwards, the queue's update."""
    head, batch = stage.bare.head, stage.scale.batch
    projections, predictions = (
        F.normalize(torch.randn(batch, head.in_channels, device=stage.device)) for _ in range(2)
    )
    predictions.requires_grad_()
    sample_idx = torch.arange(batch, device=stage.device) + get_rank() * batch

    def search() -> Tensor:
        return head.queue.feats[head.queue.nearest(projections, sample_idx, head.topk)]

    found = search()
    return dict(
        search=search,
        loss=lambda: head.contrast(found, predictions).backward(),
        push=lambda: head.queue.push(*map(gather_without_grad, (projections, sample_idx))),
    )


def features(stage: Stage, scale: Scale) -> tuple[int, dict, dict]:
    """FeatureTestLoop: half of the clips are the bank, the others are
    judged by their nearest neighbor; collecting them is counted."""
    half = max(scale.clips // 2, 1) * get_world_size()
    base = stage.clips[:BASE_CLIPS]
    dataset = [dict(inputs=base[n % len(base)], data_samples=clip_sample(n)) for n in range(half)]
    common = dict(batch_size=scale.batch, collate_fn=pseudo_collate)
    loaders = [
        DataLoader(dataset, sampler=DefaultSampler(dataset, shuffle=False), **common)
        for _ in range(2)
    ]
    metric = dict(type='KNNMetric', topk_neighbors=(1,))
    stage.runner._test_loop = FeatureTestLoop(stage.runner, *loaders, metric)
    times = stage.time(dict(step=stage.runner.test_loop.run), warm_up=1)
    stage.model.train()
    return 2 * half, times, {}


def neighbors(stage: Stage, scale: Scale) -> tuple[int, dict, dict]:
    """KNNMetric, from each process's features to the accuracy."""
    world, rank = get_world_size(), get_rank()
    metric = METRICS.build(dict(type='KNNMetric', topk_neighbors=(1,)))
    queries = scale.queries * world
    shares = dict(bank=scale.bank, query=queries)
    results = []
    for role, total in shares.items():
        places = torch.arange(rank, total, world)
        feats = torch.randn(len(places), stage.bare.backbone.embed_dims)
        results.append((role, FeatureSet(feats, places % 60, places)))

    def call() -> None:
        metric.results = list(results)
        metric.evaluate(sum(shares.values()))

    return queries, stage.time(dict(step=call), warm_up=1), {}


CASES = dict(stage1=training_step, stage2=training_step, features=features, knn=neighbors)


def clip_sample(idx: int) -> ActionDataSample:
    """What is known of a clip: its place in the data set, and a class."""
    return ActionDataSample(metainfo=dict(sample_idx=idx)).set_gt_label(idx % 60)
