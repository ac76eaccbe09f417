"""The taught similarities against a loop, and what they leave alone."""

import numpy as np
import pytest
import torch
from torch import nn

from stars_mm.models.heads import SimilarityHead
from stars_mm.models.heads.similarity_head import similarity_error


def by_hand(feats, target) -> float:
    """Ten times the mean squared difference of the cosines about the mean, pair by pair."""
    feats, target = (x.numpy() - x.numpy().mean(axis=0) for x in (feats, target))

    def cosine(x, i, j):
        return x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j])

    errors = [
        (cosine(feats, i, j) - cosine(target, i, j)) ** 2
        for i in range(len(feats))
        for j in range(len(feats))
        if i != j
    ]
    return 10 * np.mean(errors)


def test_against_a_loop():
    feats = [torch.randn(6, 4, dtype=torch.float64) for _ in range(2)]
    targets = torch.randn(9, 7, dtype=torch.float64)
    targets = targets / targets.norm(dim=1, keepdim=True)
    idx = torch.tensor([8, 1, 5, 0, 2, 7])
    head = SimilarityHead()
    head.set_targets(targets)
    found = head.loss(feats, idx)['loss']
    wanted = np.mean([by_hand(feat, targets[idx]) for feat in feats])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_turned_or_scaled_features_say_the_same():
    feats, target = torch.randn(8, 5), torch.randn(8, 3)
    turn, _ = torch.linalg.qr(torch.randn(5, 5))
    error = similarity_error(feats, target)
    torch.testing.assert_close(similarity_error(3 * feats @ turn + 2, target), error)
    assert similarity_error(target @ torch.randn(3, 3), target) > 1e-3
    torch.testing.assert_close(similarity_error(5 * target, target), torch.tensor(0.0))


def test_it_learns_and_keeps_no_targets_in_checkpoints():
    head = SimilarityHead()
    with pytest.raises(RuntimeError, match='SimilarityTargetHook'):
        head.loss([torch.randn(4, 2)], torch.arange(4))
    head.set_targets(torch.randn(12, 3))
    assert not head.state_dict()
    layer, clips = nn.Linear(6, 4), torch.randn(12, 6)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        loss = head.loss([layer(clips)], torch.arange(12))['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
