"""What is timed: steps of training, encoding, data and neighbors.

Each :class:`Case` has its plain schedule and one or more modes: ``parity`` gives the plain
schedule's results, ``fast`` is what a GPU does with the NTU configs (bf16, compiled blocks), in
stage 1 with absent persons left out as well.
"""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from stars_mm.evaluation.functional.knn import knn_predict
from stars_mm.models.utils.transformer import compile_blocks

sys.path.append(str(Path(__file__).parents[2] / 'tests/reference'))
import plain_schedule as plain  # noqa: E402

NTU60_TRAIN = 40091  # clips of the cross-subject training split
NTU60_ALL = 56578


@dataclass
class Sizes:
    """Sizes of models and data; those of NTU RGB+D by default."""

    batch: int = 10  # clips N in a step
    single: float = 0.8  # share of the clips with one person
    decoder_depth: int = 5  # blocks of stage 1's decoder
    num_frames: int = 120
    num_joints: int = 25
    depth: int = 8
    embed_dims: int = 256
    hidden_channels: int = 4096
    queue_size: int = 32768
    data_clips: int = 64  # that the pipeline makes in a run
    bank: int = NTU60_TRAIN  # labelled features for the neighbors
    queries: int = 1024  # features whose neighbors are sought

    def tiny(self) -> 'Sizes':
        """The same work in no time, to try the program."""
        models = dict(decoder_depth=2, depth=2, embed_dims=16, hidden_channels=24, queue_size=20)
        clips = dict(batch=5, num_frames=16, num_joints=5, data_clips=5, bank=200, queries=20)
        return replace(self, **models, **clips)

    @property
    def encoder(self) -> dict:
        """dict: Config of the encoder."""
        shape = dict(num_frames=self.num_frames, num_joints=self.num_joints)
        return dict(
            type='SkeletonTransformer', embed_dims=self.embed_dims, depth=self.depth, **shape
        )


@dataclass
class Case:
    """One thing to time."""

    clips: int  # or queries, in one run of it
    runs: dict[str, Callable[[], object]]  # 'plain' and the modes
    recipe_clips: int | None = None  # that NTU-60's recipe has of it


def draw_clips(sizes: Sizes) -> Tensor:
    """Random walks of one or two persons, (N, 1, 2, T, V, 3), metres."""
    N = sizes.batch
    x = torch.randn(N, 1, 2, sizes.num_frames, sizes.num_joints, 3)
    x = x.cumsum(dim=3) * 0.02
    x[: round(N * sizes.single), :, 1] = 0
    return x


def training(
    sizes: Sizes,
    device: torch.device,
    cfg: dict,
    fast: dict,
    loss: Callable[[nn.Module], Tensor],
    plain_loss: Callable[[nn.Module], Tensor],
    epochs: int,
) -> Case:
    """A training step of a model, whose config has more options in ``fast``: loss, gradients,
    AdamW."""
    parity = _build(cfg, device)
    quick = _build(dict(cfg, **fast), device, like=parity)
    thawed = plain.thawed(parity)
    pairs = zip(thawed.parameters(), parity.parameters())
    trained = [ours for ours, model in pairs if model.requires_grad]
    autocast = _hurry(quick, device)
    runs = dict(
        plain=_step(thawed, plain_loss, trained),
        parity=_step(parity, loss),
        fast=_step(quick, loss, context=autocast),
    )
    return Case(sizes.batch, runs, epochs * NTU60_TRAIN)


def stage1(sizes: Sizes, device: torch.device) -> Case:
    """A step of stage 1."""
    cfg = dict(
        type='MAMP',
        backbone=sizes.encoder,
        head=dict(type='MAMPHead'),
        neck=dict(type='MAMPDecoder', embed_dims=sizes.embed_dims, depth=sizes.decoder_depth),
    )
    inputs = draw_clips(sizes).to(device)

    def loss(model: nn.Module) -> Tensor:
        return model.loss(inputs)['loss']

    def plain_loss(model: nn.Module) -> Tensor:
        return plain.mamp_loss(model, inputs)

    return training(sizes, device, cfg, dict(skip_absent=True), loss, plain_loss, 400)


def stage2(sizes: Sizes, device: torch.device) -> Case:
    """A step of stage 2, the second half of the encoder being tuned."""
    head = dict(in_channels=sizes.embed_dims, hidden_channels=sizes.hidden_channels)
    cfg = dict(
        type='STARS',
        backbone=dict(sizes.encoder, frozen_stages=sizes.depth // 2),
        head=dict(head, type='NNCLRHead', queue_size=sizes.queue_size),
    )
    inputs = draw_clips(sizes).to(device).expand(-1, 2, -1, -1, -1, -1)  # two identical views
    sample_idx = torch.arange(sizes.batch, device=device)
    samples = [ActionDataSample(metainfo=dict(sample_idx=i)) for i in range(sizes.batch)]

    def loss(model: nn.Module) -> Tensor:
        return model.loss(inputs, samples)['loss']

    def plain_loss(model: nn.Module) -> Tensor:
        return plain.stars_loss(model, inputs, sample_idx)['loss']

    return training(sizes, device, cfg, {}, loss, plain_loss, 20)


def encode(sizes: Sizes, device: torch.device) -> Case:
    """Sequence features of a batch, for evaluation."""
    head = dict(type='NNCLRHead', in_channels=sizes.embed_dims, queue_size=16)  # not used
    cfg = dict(type='STARS', backbone=sizes.encoder, head=head)
    inputs = draw_clips(sizes).to(device)
    parity = _build(cfg, device).eval()
    fast = _build(cfg, device, like=parity).eval()
    autocast = _hurry(fast, device)

    def run_fast() -> Tensor:
        with autocast():
            return fast.extract_feat(inputs)

    runs = dict(
        plain=lambda: plain.features(parity.backbone, inputs),
        parity=lambda: parity.extract_feat(inputs),
        fast=run_fast,
    )
    runs = {mode: torch.no_grad()(run) for mode, run in runs.items()}
    return Case(sizes.batch, runs, NTU60_ALL)


def data(sizes: Sizes, device: torch.device) -> Case:
    """Stage 1's pipeline on raw clips, in this process."""
    rng = np.random.default_rng(0)
    clips: list[np.ndarray] = []
    for i in range(sizes.data_clips):
        M = 1 if i < sizes.data_clips * sizes.single else 2
        shape = (M, int(rng.integers(60, 120)), sizes.num_joints, 3)
        clips.append(rng.normal(size=shape).cumsum(1).astype(np.float32))
    steps = [
        dict(type='CenterSkeleton', center_joint=1),
        dict(type='TemporalCropResize', clip_len=sizes.num_frames),
        dict(type='RandomRot', theta=0.3),
        dict(type='FormatGCNInput', num_person=2, mode='zero'),
        dict(type='PackActionInputs', meta_keys=('sample_idx',)),
    ]
    with DefaultScope.overwrite_default_scope('mmaction'):
        transforms = [TRANSFORMS.build(step) for step in steps]

    def make(clip: np.ndarray) -> Tensor:
        results = dict(keypoint=clip, total_frames=clip.shape[1], label=0, sample_idx=0)
        for transform in transforms:
            results = transform(results)
        return results['inputs']

    def make_plain(clip: np.ndarray) -> Tensor:
        return plain.make_clip(clip, clip_len=sizes.num_frames)

    runs = dict(
        plain=_seeded(lambda: [make_plain(clip) for clip in clips]),
        parity=_seeded(lambda: [make(clip) for clip in clips]),
    )
    return Case(sizes.data_clips, runs, 400 * NTU60_TRAIN)


def knn(sizes: Sizes, device: torch.device) -> Case:
    """Nearest neighbors of encoded clips; plainly, by scikit-learn."""
    from sklearn.neighbors import KNeighborsClassifier

    bank = torch.randn(sizes.bank, sizes.embed_dims)
    queries = torch.randn(sizes.queries, sizes.embed_dims)
    labels = torch.arange(sizes.bank) % 60
    classifier = KNeighborsClassifier(1, metric='cosine', algorithm='brute')

    def run_plain() -> np.ndarray:
        return classifier.fit(bank, labels).predict(queries)

    def run_parity() -> Tensor:
        return knn_predict(bank, labels, queries, (1,), device=device)[0]

    return Case(sizes.queries, dict(plain=run_plain, parity=run_parity))


CASES = dict(stage1=stage1, stage2=stage2, encode=encode, data=data, knn=knn)


def _build(cfg: dict, device: torch.device, like: nn.Module | None = None) -> nn.Module:
    """A model in training mode, with the weights of another."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg)
    if like is not None:
        model.load_state_dict(like.state_dict())
    return model.to(device).train()


def _hurry(model: nn.Module, device: torch.device) -> Callable[[], AbstractContextManager]:
    """Make a model do what the NTU configs switch on for GPUs; gives the context to run it in."""
    if device.type != 'cuda':
        return nullcontext
    compile_blocks(model)
    return lambda: torch.autocast('cuda', torch.bfloat16)


def _step(
    model: nn.Module,
    loss: Callable[[nn.Module], Tensor],
    params: list[nn.Parameter] | None = None,
    context: Callable[[], AbstractContextManager] = nullcontext,
) -> Callable[[], Tensor]:
    """A training step that returns its loss."""
    params = params or [param for param in model.parameters() if param.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=1e-4, betas=(0.9, 0.95))

    def step() -> Tensor:
        model.zero_grad()
        with context():
            value = loss(model)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def _seeded(work: Callable[[], object]) -> Callable[[], object]:
    """Let each run draw the same numbers."""

    def run() -> object:
        np.random.seed(0)
        return work()

    return run
