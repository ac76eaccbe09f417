"""DINO and MoCo on two processes equal one process that sees both halves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS

WORKER = Path(__file__).with_name('one_of_two_ranks.py')
HEADS = dict(
    moco=dict(type='MoCoHead', in_channels=16, hidden_channels=24, queue_size=10),
    sinkhorn=dict(type='DINOHead', in_channels=16, hidden_channels=24, out_channels=4),
    mean=dict(
        type='DINOHead', in_channels=16, hidden_channels=24, out_channels=4, centering='mean'
    ),
)


@pytest.fixture(scope='module', params=HEADS)
def run(request, tmp_path_factory, repo_root):
    """Model, batches of 3 a rank, and what either rank made of each."""
    folder = tmp_path_factory.mktemp(request.param)
    model = dict(
        type='STARS',
        head=HEADS[request.param],
        backbone=dict(
            type='SkeletonTransformer',
            embed_dims=16,
            depth=2,
            num_heads=2,
            num_frames=8,
            num_joints=5,
        ),
    )
    generator = torch.Generator().manual_seed(3)
    batches = [
        dict(inputs=torch.randn(2, 3, 2, 2, 8, 5, 3, generator=generator), ids=torch.tensor(ids))
        for ids in ([[0, 1, 2], [3, 4, 5]], [[3, 6, 7], [0, 8, 9]])
    ]
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


def sinkhorn(logits):
    """Textbook form, on all samples at once."""
    weight = logits.exp()
    for _ in range(3):
        weight = weight / weight.sum(dim=0, keepdim=True)
        weight = weight / weight.sum(dim=1, keepdim=True)
    return weight


def dino_loss(head, outputs, feats):
    """``outputs[rank][view]``: the student's, and the teacher's as well."""

    def targets(view):
        both = torch.cat([out[view] for out in outputs]).detach() / 0.04
        if head.centering == 'sinkhorn_knopp':
            return sinkhorn(both).chunk(2)
        return (both - head.center / 0.04).softmax(dim=1).chunk(2)

    losses = []
    for rank in range(2):
        for i, j in ((0, 1), (1, 0)):
            log_q = (outputs[rank][j] / 0.1).log_softmax(dim=1)
            losses.append(-(targets(i)[rank] * log_q).sum(dim=1).mean())
    spread = []
    for feat in (feat for views in feats for feat in views):
        feat = feat / feat.norm(dim=1, keepdim=True)
        distance = (feat[:, None] - feat[None] + 1e-8).norm(dim=2)
        distance = distance + 9 * torch.eye(len(feat))
        spread.append(-distance.amin(dim=1).log().mean())
    return torch.stack(losses).mean() + 0.1 * torch.stack(spread).mean()


def moco_loss(head, outputs, ids):
    """The queue is the same on both ranks; the other's keys are not in it."""
    losses = []
    for rank in range(2):
        views = [out / out.norm(dim=1, keepdim=True) for out in outputs[rank]]
        for i, j in ((0, 1), (1, 0)):
            for n in range(3):
                foreign = head.queue.ids != ids[rank][n]
                entries = torch.cat((views[j][n : n + 1].detach(), head.queue.feats[foreign]))
                logits = entries @ views[i][n] / 0.07
                losses.append(logits.logsumexp(0) - logits[0])
    return torch.stack(losses).mean()


@pytest.mark.parametrize('step', [0, 1])
def test_mean_loss_and_averaged_gradients(run, step):
    model, batches, steps = run
    batch, ranks = batches[step], steps[step]
    model.load_state_dict(ranks[0]['before'])
    head = model.train().head
    # the workers do not train: their teacher is the student
    feats = [
        [model.backbone(view).mean((1, 3, 4)) for view in inputs.unbind(1)]
        for inputs in batch['inputs']
    ]
    outputs = [[head.projector(feat) for feat in views] for views in feats]
    expected = (
        dino_loss(head, outputs, feats)
        if hasattr(head, 'centering')
        else moco_loss(head, outputs, batch['ids'])
    )
    found = (ranks[0]['loss'] + ranks[1]['loss']) / 2
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert abs(ranks[0]['loss'] - ranks[1]['loss']) > 1e-4

    names, params = zip(
        *[(name, param) for name, param in model.named_parameters() if param.requires_grad]
    )
    grads = torch.autograd.grad(expected, params)
    scale = max(grad.abs().max() for grad in grads).item()
    for name, grad in zip(names, grads):
        torch.testing.assert_close(
            ranks[0]['grads'][name], grad, rtol=1e-4, atol=1e-4 * scale, msg=name
        )
        assert torch.equal(ranks[0]['grads'][name], ranks[1]['grads'][name])


def test_state_is_the_same_on_both_ranks(run):
    """The queue or the running mean, and the teacher's weights."""
    model, _, steps = run
    statistics = {name for name in model.state_dict() if 'running' in name or 'tracked' in name}
    for first, second in steps:
        for name, value in first['after'].items():
            if name not in statistics:  # each rank's own, as in NNCLR
                assert torch.equal(value, second['after'][name]), name
    changed = steps[-1][0]['after']
    name = 'head.center' if getattr(model.head, 'centering', '') == 'mean' else 'teacher.steps'
    assert not torch.equal(changed[name], steps[0][0]['before'][name])
