"""DINO against a loop-written oracle."""

import pytest
import torch
from torch import nn

from stars_mm.models.heads import DINOHead
from stars_mm.models.utils.clustering import koleo, sinkhorn_knopp


@pytest.fixture
def head():
    return DINOHead(6, hidden_channels=9, out_channels=5)


def dino_in_loops(assigned, outputs, temperature):
    """Mean over ordered view pairs and samples of −Σ p log q."""
    losses = []
    for i, probs in enumerate(assigned):
        for j, output in enumerate(outputs):
            if i == j and len(outputs) > 1:
                continue
            for p, logits in zip(probs, output / temperature):
                log_q = logits - logits.exp().sum().log()
                losses.append(-sum(a * b for a, b in zip(p, log_q)))
    return torch.stack(losses).mean()


@pytest.mark.parametrize('num_views', [1, 2, 3])
def test_loss_and_gradient(head, num_views):
    feats = [torch.randn(4, 6, requires_grad=True) for _ in range(num_views)]
    targets = [torch.rand(4, 5, requires_grad=True) for _ in feats]
    inputs = feats + list(head.parameters())
    assigned = [sinkhorn_knopp(target / 0.04, 3) for target in targets]
    dino = dino_in_loops(assigned, [head.projector(f) for f in feats], 0.1)
    spread = torch.stack([koleo(feat) for feat in feats]).mean()
    expected = dict(loss=dino + 0.1 * spread, dino=dino.detach(), koleo=spread.detach())

    found = head.loss(feats, torch.arange(4), targets)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert not found['dino'].requires_grad and not found['koleo'].requires_grad
    grads, wanted = (
        torch.autograd.grad(losses['loss'], inputs, retain_graph=True)
        for losses in (found, expected)
    )
    torch.testing.assert_close(grads, wanted, rtol=1e-4, atol=1e-5)
    assert torch.autograd.grad(found['loss'], targets, allow_unused=True) == (None,) * num_views


def test_prototypes_are_compared_by_cosine(head):
    feat, projector = torch.randn(4, 6), head.projector
    with torch.no_grad():
        projector.prototypes.weight.mul_(7.0)
    projected, prototypes = projector.mlp(feat)[:, None], projector.prototypes.weight[None]
    expected = nn.functional.cosine_similarity(projected, prototypes, dim=2)
    torch.testing.assert_close(projector(feat), expected)


def test_running_mean_as_centering():
    head = DINOHead(6, 9, 5, centering='mean', koleo_weight=0)
    center = torch.zeros(5)
    for _ in range(3):
        feats, targets = [torch.randn(4, 6)] * 2, [torch.rand(4, 5)] * 2
        assigned = [((t - center) / 0.04).softmax(1) for t in targets]
        expected = dino_in_loops(assigned, [head.projector(f) for f in feats], 0.1)
        found = head.loss(feats, torch.arange(4), targets)
        assert list(found) == ['loss']
        torch.testing.assert_close(found['loss'], expected)
        center = 0.9 * center + 0.1 * torch.stack(targets).mean((0, 1))
        torch.testing.assert_close(head.state_dict()['center'], center)


def test_defaults_are_the_papers(head):
    names = 'student_temperature teacher_temperature teacher_momentum centering koleo_weight'
    found = [getattr(head, name) for name in names.split()]
    assert found == [0.1, 0.04, (0.996, 1.0), 'sinkhorn_knopp', 0.1]
    assert DINOHead().projector.prototypes.out_features == 128


def test_without_a_teacher_the_targets_are_the_students_own_in_float32(head):
    feat = torch.randn(4, 6)
    output = head.projector(feat)
    expected = dino_in_loops([sinkhorn_knopp(output / 0.04)], [output], 0.1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = head.loss([feat], torch.arange(4))
    assert found['loss'].dtype == torch.float32
    torch.testing.assert_close(found['dino'], expected, rtol=0.05, atol=0)
