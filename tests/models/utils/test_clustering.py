"""Sinkhorn-Knopp and KoLeo against loops."""

import math

import pytest
import torch

from stars_mm.models.utils.clustering import koleo, sinkhorn_knopp


def sinkhorn_in_loops(logits, num_iters):
    """Scale rows (clusters) and columns (samples) in turn, as DINOv2 does."""
    N, K = logits.shape
    Q = [[math.exp(logits[n, k]) for n in range(N)] for k in range(K)]
    for _ in range(num_iters):
        for k in range(K):
            total = sum(Q[k])
            Q[k] = [value / total / K for value in Q[k]]
        for n in range(N):
            total = sum(Q[k][n] for k in range(K))
            for k in range(K):
                Q[k][n] /= total * N
    return torch.tensor([[Q[k][n] * N for k in range(K)] for n in range(N)])


@pytest.mark.parametrize('num_iters', [1, 3])
def test_sinkhorn_in_loops(num_iters):
    logits = 3 * torch.randn(7, 4)
    expected = sinkhorn_in_loops(logits.double(), num_iters)
    torch.testing.assert_close(sinkhorn_knopp(logits, num_iters), expected, rtol=1e-4, atol=1e-6)


def test_sinkhorn_does_not_overflow():
    logits = torch.tensor([[500.0, 0.0], [0.0, 400.0]])
    torch.testing.assert_close(sinkhorn_knopp(logits), torch.eye(2))


def test_koleo_in_loops():
    feats = torch.randn(6, 3, requires_grad=True)
    unit, logs = feats / feats.norm(dim=1, keepdim=True), []
    for n in range(6):
        distances = [(unit[n] - unit[m]).norm() for m in range(6) if m != n]
        logs.append(min(distances).log())
    expected, found = -torch.stack(logs).mean(), koleo(feats)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    grads = [torch.autograd.grad(loss, feats, retain_graph=True) for loss in (found, expected)]
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-5)


def test_koleo_of_equal_features_is_finite():
    feats = torch.ones(3, 4, requires_grad=True)
    loss = koleo(feats)
    loss.backward()
    assert loss.isfinite() and feats.grad.isfinite().all()
