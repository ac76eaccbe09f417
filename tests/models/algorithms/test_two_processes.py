"""Stage 2 on two processes equals one process that sees both halves."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import MMDistributedDataParallel

from stars_mm.models.utils.clustering import koleo, sinkhorn_knopp

ENCODER = dict(
    type='SkeletonTransformer', embed_dims=16, depth=2, num_heads=2, num_frames=8, num_joints=5
)
SIZES = dict(in_channels=16, hidden_channels=24)
HEADS = dict(
    nnclr=dict(type='NNCLRHead', queue_size=10, **SIZES),
    moco=dict(type='MoCoHead', queue_size=10, **SIZES),
    sinkhorn=dict(type='DINOHead', out_channels=4, **SIZES),
    mean=dict(type='DINOHead', out_channels=4, centering='mean', **SIZES),
    similarity=dict(type='SimilarityHead'),
)
STEPS = ['one view', 'swapped', 'two views', 'mixed']


def make_batches() -> dict:
    """Batches of 3 a rank; the queue holds 10, so it wraps in the second."""
    generator = torch.Generator().manual_seed(3)

    def clips(views):
        return torch.randn(2, 3, views, 2, 8, 5, 3, generator=generator)

    first = dict(inputs=clips(1), ids=torch.tensor([[0, 1, 2], [3, 4, 5]]))
    # the samples that rank 0 pushed are on rank 1, and the other way round
    swapped = dict(inputs=first['inputs'].flip(0), ids=first['ids'].flip(0))
    two_views = dict(inputs=clips(2), ids=torch.tensor([[6, 1, 7], [2, 8, 9]]))
    # identical views on rank 0 only: rank 0 has to gather as often as rank 1
    mixed = dict(inputs=clips(2), ids=torch.tensor([[3, 8, 5], [6, 11, 12]]))
    mixed['inputs'][0, :, 1] = mixed['inputs'][0, :, 0]
    return dict(zip(STEPS, (first, swapped, two_views, mixed)))


def build(head: str):
    model = MODELS.build(dict(type='STARS', backbone=ENCODER, head=HEADS[head]))
    if head == 'similarity':
        model.head.set_targets(torch.randn(13, 6, generator=torch.Generator().manual_seed(5)))
    return model


def snapshot(model) -> dict:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope='module')
def steps(two_ranks, tmp_path_factory) -> dict:
    """What either rank made of each batch: ``steps[head][step][rank]``."""
    folder, batches = tmp_path_factory.mktemp('two'), make_batches()

    def train(rank) -> None:
        found = {}
        for name, head in HEADS.items():
            torch.manual_seed(rank)  # other weights; those of rank 0 win
            model = build(name)
            model = MMDistributedDataParallel(model, broadcast_buffers=False)
            for step, batch in batches.items():
                if head['type'] != 'NNCLRHead' and batch['inputs'].shape[2] == 1:
                    continue
                before = snapshot(model.module)
                model.zero_grad()
                ids = batch['ids'][rank].tolist()
                samples = [ActionDataSample(metainfo=dict(sample_idx=i)) for i in ids]
                loss = model(batch['inputs'][rank], samples, mode='loss')['loss']
                loss.backward()
                params = model.module.named_parameters()
                grads = {key: p.grad.clone() for key, p in params if p.requires_grad}
                found[name, step] = dict(
                    before=before, after=snapshot(model.module), loss=loss.detach(), grads=grads
                )
        torch.save(found, folder / f'{rank}.pt')

    two_ranks(train)
    ranks = [torch.load(folder / f'{rank}.pt') for rank in range(2)]
    return {key: [rank[key] for rank in ranks] for key in ranks[0]}


def dino_loss(head, outputs, feats):
    """``outputs[rank][view]``: the student's, and the teacher's as well."""
    losses = []
    for i, j in ((0, 1), (1, 0)):
        both = torch.cat([views[i] for views in outputs]).detach()
        if head.centering == 'mean':
            targets = ((both - head.center) / 0.04).softmax(dim=1)
        else:  # of all samples at once; the textbook form: test_clustering.py
            targets = sinkhorn_knopp(both / 0.04, 3)
        log_q = (torch.cat([views[j] for views in outputs]) / 0.1).log_softmax(dim=1)
        losses.append(-(targets * log_q).sum(dim=1).mean())
    spread = [koleo(feat) for views in feats for feat in views]  # of each rank's own
    return torch.stack(losses).mean() + 0.1 * torch.stack(spread).mean()


@pytest.fixture
def alone(steps, nnclr_oracle):
    """``alone(head, step)`` → a model on both halves, its loss by an oracle, and NNCLR's new
    entries; each half has batch statistics of its own."""

    def _alone(name, step, ids=None):
        model = build(name)
        model.load_state_dict(steps[name, step][0]['before'])
        batch, head = make_batches()[step], model.head
        ids = batch['ids'] if ids is None else ids
        feats = [
            [model.backbone(view).mean((1, 3, 4)) for view in inputs.unbind(1)]
            for inputs in batch['inputs']
        ]
        if name == 'nnclr':
            params, queue = dict(head.named_parameters()), head.queue
            loss, entries = nnclr_oracle(
                params, list(zip(feats, ids)), queue.feats.clone(), queue.ids.clone(), 0.07
            )
            return model, loss, entries
        if name == 'similarity':
            views = [torch.cat(view) for view in zip(*feats)]
            return model, head.loss(views, ids.flatten())['loss'], None
        # nobody steps: the teacher is the student
        outputs = [[head.projector(feat) for feat in views] for views in feats]
        if name == 'moco':  # the queue is the same on both ranks; the other's keys are not in it
            queue, losses = copy.deepcopy(head.queue), []
            for rank in zip(feats, ids, outputs):
                head.queue = copy.deepcopy(queue)
                losses.append(head.loss(*rank)['loss'])
            return model, torch.stack(losses).mean(), None
        return model, dino_loss(head, outputs, feats), None

    return _alone


CASES = [('nnclr', step) for step in STEPS]
CASES += [(name, step) for name in ('moco', 'sinkhorn', 'mean', 'similarity') for step in STEPS[2:]]


@pytest.mark.parametrize('name, step', CASES)
def test_mean_loss_and_averaged_gradients(steps, alone, name, step):
    first, second = steps[name, step]
    model, expected, _ = alone(name, step)
    torch.testing.assert_close((first['loss'] + second['loss']) / 2, expected, rtol=1e-5, atol=1e-5)
    # each compares its own with all; similarities are those of all pairs
    assert (abs(first['loss'] - second['loss']) > 1e-4) == (name != 'similarity')
    params = {key: param for key, param in model.named_parameters() if param.requires_grad}
    grads = torch.autograd.grad(expected, list(params.values()))
    scale = max(grad.abs().max() for grad in grads).item()
    for key, grad in zip(params, grads):
        torch.testing.assert_close(first['grads'][key], grad, rtol=1e-4, atol=1e-4 * scale, msg=key)
        assert torch.equal(first['grads'][key], second['grads'][key]), key
    if step == 'swapped':  # a sample's own entry, which the other rank pushed, is left out
        _, careless, _ = alone(name, step, ids=torch.full((2, 3), 99))
        assert abs(careless - expected) > 1e-2


@pytest.mark.parametrize('name', HEADS)
def test_state_is_the_same_on_both_ranks(steps, name):
    """Weights, queue or running mean, and the teacher; batch statistics are each rank's own."""
    first, second = steps[name, 'mixed']
    for key, value in first['after'].items():
        if 'running' in key:
            assert not torch.allclose(value, second['after'][key]), key
        else:
            assert torch.equal(value, second['after'][key]), key
    if name == 'similarity':  # has no state
        return
    changed = dict(nnclr='head.queue.ids', moco='head.queue.ptr', mean='head.center')
    key = changed.get(name, 'teacher.steps')
    assert not torch.equal(first['after'][key], first['before'][key])


@pytest.mark.parametrize('step', STEPS)
def test_queue_is_in_the_order_of_the_ranks(steps, alone, step):
    model, _, entries = alone('nnclr', step)
    queue, batch = model.head.queue, make_batches()[step]
    feats, ids, start = queue.feats.clone(), queue.ids.tolist(), queue.ptr.item()
    for n, (entry, number) in enumerate(zip(entries, batch['ids'].flatten().tolist())):
        feats[(start + n) % 10], ids[(start + n) % 10] = entry, number
    after = steps['nnclr', step][0]['after']
    torch.testing.assert_close(after['head.queue.feats'], feats)
    assert after['head.queue.ids'].tolist() == ids
    assert after['head.queue.ptr'].tolist() == [(start + 6) % 10]
