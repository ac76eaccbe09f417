"""Both stages as a config trains them, for the scaling benchmark."""

from dataclasses import dataclass
from functools import partial

import torch
from mmaction.registry import RUNNERS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dist import get_rank
from torch import Tensor
from torch import distributed as dist

from stars_mm.engine.hooks import PerTensorGradClipHook
from stars_mm.engine.runner.stages import build_stage_cfg
from stars_mm.speed.measure import Work
from stars_mm.speed.traffic import look_at_traffic
from stars_mm.speed.works import NTU60_TRAIN, Sizes, draw_clips

_TINY = {
    'model.backbone.embed_dims': 16,
    'model.backbone.depth': 2,
    'model.backbone.num_heads': 2,
    'model.backbone.num_frames': 16,
}
_TINY_STAGE1 = dict(
    _TINY, **{'model.neck.embed_dims': 16, 'model.neck.num_heads': 2, 'model.neck.depth': 1}
)
_TINY_STAGE2 = dict(
    _TINY,
    **{
        'model.head.in_channels': 16,
        'model.head.hidden_channels': 24,
        'model.head.queue_size': 64,
        'optim_wrapper.paramwise_cfg.num_trainable_layers': 1,
    },
)


@dataclass
class Scale:
    """What is measured.

    Attributes:
        config (str): A two-stage config.
        batch (int): Clips of a step on each process.
        single (float): Share of the clips with one person.
        clips (int): Clips on each process whose features are computed.
        bank (int): Features, on all processes together, in which neighbours are sought.
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
    bucket_mib: float | None = None
    tiny: bool = False


def load_configs(scale: Scale, launcher: str, folder: str) -> list[Config]:
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
            'recipe, such as configs/stars_ntu60.py.'
        )
    common = {'log_level': 'ERROR', 'default_hooks.logger': None}
    if scale.bucket_mib is not None:
        common['model_wrapper_cfg'] = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            bucket_cap_mb=scale.bucket_mib,
        )
    cfg.merge_from_dict(
        dict(
            launcher=launcher,
            work_dir=folder,
            resume=False,
            randomness=dict(seed=0),
            **common,
            **(_TINY_STAGE2 if scale.tiny else {}),
        )
    )
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
        self.clips = draw_clips(
            Sizes(
                scale.batch,
                scale.single,
                num_frames=backbone.num_frames,
                num_joints=backbone.num_joints,
            )
        )  # (N, 1, M, T, V, C)
        self.traffic = look_at_traffic(
            self.bare, partial(self.runner.wrap_model, cfg.get('model_wrapper_cfg')), self.data()
        )
        self.optim_wrapper = self.runner.build_optim_wrapper(self.runner.optim_wrapper)
        self.runner.optim_wrapper = self.optim_wrapper
        for group in self.optim_wrapper.param_groups:
            group['lr'] = 0.0
        for hook in self.runner.hooks:
            if isinstance(hook, PerTensorGradClipHook):
                hook.before_train(self.runner)
        self.runner._maybe_compile('train_step')

    def data(self, clips: Tensor | None = None) -> dict:
        """A batch of this process, as a loader gives it."""
        clips = self.clips if clips is None else clips
        first = get_rank() * self.batch
        return dict(
            inputs=list(clips), data_samples=[clip_sample(first + n) for n in range(len(clips))]
        )

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
        buckets = [
            torch.zeros(size // 4, device=self.device) for size in self.traffic['bucket_bytes']
        ]

        def work() -> None:
            sent = [dist.all_reduce(bucket, async_op=True) for bucket in buckets]
            for one in sent:
                one.wait()

        return work


def clip_sample(idx: int) -> ActionDataSample:
    """What is known of a clip: its place in the data set, and a class."""
    sample = ActionDataSample(metainfo=dict(sample_idx=idx))
    return sample.set_gt_label(idx % 60)
