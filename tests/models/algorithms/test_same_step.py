"""Steps on one, two and four processes, of the same clips and the same draws, are the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import ConcatDataset, DefaultSampler
from mmengine.dist import all_reduce, get_world_size
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.utils.data import ConcatDataset as TorchConcatDataset

from stars_mm.datasets.balanced_sampler import BalancedSampler
from stars_mm.models.utils.gather import gather_with_grad

N, CLASSES, STEPS, PROCESSES = 8, 3, 5, (1, 2, 4)
ENCODER = dict(
    type='SkeletonTransformer', embed_dims=16, depth=2, num_heads=2, num_frames=8, num_joints=5
)
NNCLR = dict(type='NNCLRHead', in_channels=16, hidden_channels=24, queue_size=20)
MAMP = dict(
    backbone=ENCODER,
    neck=dict(type='MAMPDecoder', embed_dims=16, depth=1, num_heads=2),
    head=dict(type='MAMPHead'),
    mask_ratio=0.5,
)
PROBE = dict(type='LinearProbeHead', num_classes=CLASSES, in_channels=16)
MLP = dict(
    type='JointMLPHead',
    num_classes=CLASSES,
    in_channels=16,
    num_joints=5,
    hidden_channels=12,
    dropout=0.0,
)
MODELS_OF = dict(
    mamp=dict(type='MAMP', **MAMP),
    # of clips of one person and of two, which the ranks have in different numbers
    absent=dict(type='MAMP', skip_absent=True, **MAMP),
    both=dict(type='MAMPNNCLR', contrast_head=NNCLR, skip_absent=True, **MAMP),
    stars=dict(type='STARS', backbone=ENCODER, head=NNCLR),
    moco=dict(type='STARS', backbone=ENCODER, head={**NNCLR, 'type': 'MoCoHead'}),
    dino=dict(
        type='STARS',
        backbone=ENCODER,
        head=dict(type='DINOHead', in_channels=16, out_channels=6, koleo_weight=0.0),
    ),
    similarity=dict(
        type='STARS', backbone=ENCODER, head=dict(type='SimilarityHead'), keep_ratio=0.7
    ),
    linear=dict(type='FrozenRecognizerGCN', backbone=ENCODER, cls_head=PROBE),
    finetune=dict(type='RecognizerGCN', backbone=ENCODER, cls_head=MLP),
)
#: Those with batch statistics, which are each process's own.
NORMALIZED = ('both', 'stars', 'moco', 'linear', 'finetune')


class GlobalBatchNorm(nn.Module):
    """What SyncBatchNorm does, which torch has for GPUs alone: the statistics of all processes."""

    def __init__(self, local: nn.BatchNorm1d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = local.weight, local.bias, local.eps

    def forward(self, x: Tensor) -> Tensor:
        var, mean = torch.var_mean(gather_with_grad(x), dim=0, correction=0)
        x = (x - mean) / (var + self.eps).sqrt()
        return x if self.weight is None else x * self.weight + self.bias


def with_global_statistics(model: nn.Module) -> nn.Module:
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d):
                setattr(module, name, GlobalBatchNorm(child))
    return model


@contextmanager
def drawn_together(rank: int, size: int) -> Iterator[None]:
    """What one process draws for all clips, each of the processes draws for its own."""
    rand, generator = torch.rand, torch.Generator().manual_seed(4)

    def _rand(rows: int, *shape: int, **kwargs) -> Tensor:
        return rand(rows * size, *shape, generator=generator).chunk(size)[rank]

    torch.rand = _rand
    try:
        yield
    finally:
        torch.rand = rand


def make_batch() -> tuple[Tensor, list[ActionDataSample]]:
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(N, 2, 2, 8, 5, 3, generator=generator)
    for clip, persons in enumerate((1, 1, 1, 2, 2, 2, 1, 2)):
        inputs[clip, :, persons:] = 0
    samples = [ActionDataSample(metainfo=dict(sample_idx=i)) for i in range(N)]
    return inputs, [sample.set_gt_label(i % CLASSES) for i, sample in enumerate(samples)]


def train(name: str, rank: int, size: int, synchronized: bool = True) -> dict:
    """The first step's gradients, and of all steps, on a rank's part of the batch, the mean losses
    and the queue."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(MODELS_OF[name])
    model.init_weights()
    if name == 'similarity':
        model.head.set_targets(torch.randn(N, 6, generator=torch.Generator().manual_seed(5)))
    if synchronized:
        model = with_global_statistics(model)
    wrapped = model
    if size > 1:
        wrapped = MMDistributedDataParallel(model, broadcast_buffers=False)
    inputs, samples = make_batch()
    if name in ('linear', 'finetune'):
        inputs = inputs[:, :1]
    mine = slice(rank * N // size, (rank + 1) * N // size)
    if 'MAMP' in MODELS_OF[name]['type']:
        noise = torch.rand(N, inputs[0, :, :, 0, 0, 0].numel(), 2 * 5)  # L = 10 tokens
        model.loss = partial(model.loss, noise=noise[mine].flatten(0, 1))
    optimizer, means = torch.optim.SGD(model.parameters(), lr=0.01), []
    for number in range(STEPS):
        optimizer.zero_grad()
        with drawn_together(rank, size):
            losses = wrapped(inputs[mine], samples[mine], mode='loss')
        loss = losses.get('loss', losses.get('loss_cls'))
        loss.backward()
        means.append(loss.detach().clone())
        all_reduce(means[-1], 'mean')
        if number == 0:
            grads = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
        optimizer.step()
    queues = {key: value for key, value in model.named_buffers() if '.queue.' in key}
    return dict(losses=torch.stack(means), grads=grads, queues=queues)


@pytest.fixture(scope='module')
def trained(ranks, tmp_path_factory) -> dict:
    """``trained[size][rank][name, synchronized]``."""
    folder = tmp_path_factory.mktemp('trained')

    def run(rank) -> None:
        size = get_world_size()
        cases = [(name, True) for name in MODELS_OF] + [(name, False) for name in NORMALIZED]
        found = {case: train(case[0], rank, size, case[1]) for case in cases}
        torch.save(found, folder / f'{size}-{rank}.pt')

    found = {}
    for size in PROCESSES:
        ranks(run, size)
        found[size] = [torch.load(folder / f'{size}-{rank}.pt') for rank in range(size)]
    return found


def difference(one: dict, other: dict) -> float:
    """The largest of the gradients' differences, of the largest gradient."""
    assert one.keys() == other.keys() and one
    scale = max(grad.abs().max() for grad in one.values())
    return float(max((one[key] - other[key]).abs().max() for key in one) / scale)


@pytest.mark.slow
@pytest.mark.parametrize('size', PROCESSES[1:])
@pytest.mark.parametrize('name', MODELS_OF)
def test_same_losses_gradients_and_queue(trained, name, size):
    (alone,) = trained[1]
    alone = alone[name, True]
    for rank in trained[size]:
        found = rank[name, True]
        torch.testing.assert_close(found['losses'], alone['losses'], rtol=1e-5, atol=1e-6)
        assert len(found['losses'].unique()) == STEPS
        assert difference(alone['grads'], found['grads']) < 1e-5
        first = trained[size][0][name, True]
        torch.testing.assert_close(found['grads'], first['grads'], rtol=0, atol=0)
        torch.testing.assert_close(found['queues'], first['queues'], rtol=0, atol=0)
        torch.testing.assert_close(found['queues'], alone['queues'])
    assert ('queue' in str(list(alone['queues']))) == (name in ('both', 'stars', 'moco'))


@pytest.mark.slow
@pytest.mark.parametrize('name', NORMALIZED)
def test_batch_statistics_are_each_process_s_own(trained, name):
    """The one difference that stays, by design, where a config does not say sync_bn='torch'."""
    local, alone = trained[4][0][name, False], trained[1][0][name, False]
    assert difference(alone['grads'], local['grads']) > 1e-3
    assert difference(alone['grads'], trained[1][0][name, True]['grads']) < 1e-5


@pytest.mark.parametrize('kind', ['plain', 'balanced'])
@pytest.mark.parametrize('clips', [64, 61])
def test_the_clips_of_a_step_are_those_of_one_process(kind, clips, monkeypatch):
    class Sets(ConcatDataset):
        """Of numbers, which have no metainfo."""

        def __init__(self) -> None:
            self.datasets = [range(clips // 4), range(clips - clips // 4)]
            self.cumulative_sizes = self.cumsum(self.datasets)

        __len__ = TorchConcatDataset.__len__

    def batches(size: int) -> list[set]:
        """Whole batches of 8 clips of all processes together."""
        orders = []
        for rank in range(size):
            for module in ('mmengine.dataset.sampler', 'stars_mm.datasets.balanced_sampler'):
                monkeypatch.setattr(f'{module}.get_dist_info', lambda: (rank, size))
            make = DefaultSampler if kind == 'plain' else BalancedSampler
            orders.append(list(make(Sets(), seed=3)))
        own = N // size
        return [
            sorted(clip for order in orders for clip in order[start : start + own])
            for start in range(0, len(orders[0]) // own * own, own)
        ]

    alone = batches(1)
    for size in PROCESSES[1:]:
        assert batches(size)[: len(alone)] == alone
