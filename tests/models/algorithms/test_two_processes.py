"""Stage 2 on two processes equals one process that sees both halves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS

WORKER = Path(__file__).with_name('one_of_two_ranks.py')
QUEUE = [f'head.queue.{name}' for name in ('feats', 'ids', 'ptr')]
TEMPERATURE = 0.07


def _batches():
    """Batches of 3 a rank; the queue holds 10, so it wraps in the second."""
    generator = torch.Generator().manual_seed(3)

    def clips(views):
        return torch.randn(2, 3, views, 2, 8, 5, 3, generator=generator)

    first = dict(inputs=clips(1), ids=torch.tensor([[0, 1, 2], [3, 4, 5]]))
    # the samples that rank 0 pushed are on rank 1, and the other way round
    swapped = dict(inputs=first['inputs'].flip(0), ids=first['ids'].flip(0))
    two_views = dict(inputs=clips(2), ids=torch.tensor([[6, 1, 7], [2, 8, 9]]))
    # identical views on rank 0 only: rank 0 has to gather as often as rank 1
    mixed = dict(inputs=clips(2), ids=torch.tensor([[3, 4, 5], [10, 11, 12]]))
    mixed['inputs'][0, :, 1] = mixed['inputs'][0, :, 0]
    return [first, swapped, two_views, mixed]


@pytest.fixture(scope='module')
def run(tmp_path_factory, repo_root):
    """The batches, and for each of them what either rank made of it."""
    folder = tmp_path_factory.mktemp('two_processes')
    model = dict(
        type='STARS',
        backbone=dict(
            type='SkeletonTransformer',
            embed_dims=16,
            depth=2,
            num_heads=2,
            num_frames=8,
            num_joints=5,
        ),
        head=dict(
            type='NNCLRHead',
            in_channels=16,
            hidden_channels=24,
            queue_size=10,
            temperature=TEMPERATURE,
        ),
    )
    batches = _batches()
    torch.save(dict(model=model, batches=batches), folder / 'batches.pt')
    path = os.pathsep.join([str(repo_root), os.environ.get('PYTHONPATH', '')])
    env = {
        **os.environ,
        'PYTHONPATH': path.rstrip(os.pathsep),
        'OMP_NUM_THREADS': '1',
        'CUDA_VISIBLE_DEVICES': '',
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(rank), str(folder)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        for rank in ranks:
            log, _ = rank.communicate(timeout=300)
            assert rank.returncode == 0, log[-3000:]
    finally:
        for rank in ranks:
            rank.kill()
    steps = [torch.load(folder / f'rank{rank}.pt') for rank in range(2)]
    return MODELS.build(model), batches, list(zip(*steps))


@pytest.fixture(params=range(4), ids=['first', 'swapped', 'two views', 'mixed'])
def step(request, run):
    model, batches, steps = run
    model.load_state_dict(steps[request.param][0]['before'])
    return model, batches[request.param], steps[request.param]


def _single_process(model, batch, nnclr_oracle):
    """Loss of both halves, each with batch statistics of its own."""
    ranks = []
    for inputs, ids in zip(batch['inputs'], batch['ids']):
        tokens = [model.backbone.encode(view.flatten(0, 1)) for view in inputs.unbind(1)]
        feats = [view.reshape(3, -1, 16).mean(1) for view in tokens]
        ranks.append((feats, ids))
    head = model.head
    return nnclr_oracle(
        dict(head.named_parameters()),
        ranks,
        head.queue.feats.clone(),
        head.queue.ids.clone(),
        TEMPERATURE,
    )


def test_mean_loss_and_averaged_gradients(step, nnclr_oracle):
    model, batch, ranks = step
    expected, _, _ = _single_process(model, batch, nnclr_oracle)
    found = (ranks[0]['loss'] + ranks[1]['loss']) / 2
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert abs(ranks[0]['loss'] - ranks[1]['loss']) > 1e-4

    names, params = zip(*model.named_parameters())
    grads = torch.autograd.grad(expected, params)
    scale = max(grad.abs().max() for grad in grads).item()
    for name, grad in zip(names, grads):
        torch.testing.assert_close(
            ranks[0]['grads'][name], grad, rtol=1e-5, atol=1e-5 * scale, msg=name
        )
        assert torch.equal(ranks[0]['grads'][name], ranks[1]['grads'][name])


def test_queue_is_the_same_and_in_the_order_of_the_ranks(step, nnclr_oracle):
    model, batch, ranks = step
    for name in QUEUE:  # the noise of the start, too
        assert torch.equal(ranks[0]['before'][name], ranks[1]['before'][name])
        assert torch.equal(ranks[0]['after'][name], ranks[1]['after'][name])
    _, entries, _ = _single_process(model, batch, nnclr_oracle)
    feats = model.head.queue.feats.clone()
    ids = model.head.queue.ids.tolist()
    start = model.head.queue.ptr.item()
    for n, (entry, number) in enumerate(zip(entries, batch['ids'].flatten().tolist())):
        feats[(start + n) % 10], ids[(start + n) % 10] = entry, number
    after = ranks[0]['after']
    torch.testing.assert_close(after['head.queue.feats'], feats)
    assert after['head.queue.ids'].tolist() == ids
    assert after['head.queue.ptr'].tolist() == [(start + 6) % 10]


def test_own_samples_of_the_other_rank_are_no_neighbours(run, nnclr_oracle):
    """The loss of the oracle, which is that of the ranks, excludes them; with
    them it would be another."""
    model, batches, steps = run
    batch, ranks = batches[1], steps[1]
    model.load_state_dict(ranks[0]['before'])
    queue = model.head.queue
    _, entries, neighbours = _single_process(model, batch, nnclr_oracle)
    for rank in range(2):
        own = batch['ids'][rank].tolist()
        # the entry most like a projection is the sample's own of step 1 …
        similarity = entries[rank * 3 : rank * 3 + 3] @ queue.feats.t()
        nearest = queue.ids[similarity.argmax(1)].tolist()
        assert nearest == own
        # … which the other rank pushed, and which is left out
        assert all(queue.ids[index] != number for index, number in zip(neighbours[rank][0], own))
    queue.ids.fill_(-1)
    without, _, _ = _single_process(model, batch, nnclr_oracle)
    assert abs(without - (ranks[0]['loss'] + ranks[1]['loss']) / 2) > 1e-2


def test_running_statistics_stay_each_ranks_own(run):
    _, _, steps = run
    name = 'head.projector.0.running_mean'
    first, second = (rank['after'][name] for rank in steps[0])
    assert not torch.allclose(first, second)
