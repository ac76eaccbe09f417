"""Masking against sequential sampling without replacement, enumerated."""

from itertools import permutations

import numpy as np
import pytest
import torch

from stars_mm.models.utils.masking import motion_aware_masking, num_kept_tokens, random_masking


def _probabilities(patches: np.ndarray, tau: float) -> np.ndarray:
    """The paper's section 3.3 in loops: (T′, V′, P) → (L, )."""
    Tp, Vp, _ = patches.shape
    motion = np.zeros((Tp, Vp))
    for t in range(Tp):
        for v in range(Vp):
            now = max(t, 1)  # the first column copies the second
            motion[t, v] = np.mean(abs(patches[now, v] - patches[now - 1, v]))
    weights = np.exp(motion / (motion.max() * tau + 1e-10)).flatten()
    return weights / weights.sum()


def _hidden_by_sequential_draws(probs: np.ndarray, draws: int) -> np.ndarray:
    """Probability of each token to be among ``draws`` drawn one after the
    other without replacement, by enumeration."""
    marginal = np.zeros(len(probs))
    for order in permutations(range(len(probs)), draws):
        left, chance = 1.0, 1.0
        for token in order:
            chance *= probs[token] / left
            left -= probs[token]
        marginal[list(order)] += chance
    return marginal


@pytest.mark.parametrize('tau', [0.3, 0.8])
def test_motion_aware_marginals(tau):
    patches = torch.randn(3, 2, 12) * torch.tensor([1.0, 4.0])[:, None]
    expected = _hidden_by_sequential_draws(_probabilities(patches.double().numpy(), tau), draws=4)
    B = 40000
    _, _, mask = motion_aware_masking(patches.expand(B, -1, -1, -1), 0.6, tau, torch.rand(B, 6))
    # 6 standard errors of a share estimated from B draws are 0.015
    np.testing.assert_allclose(mask.mean(0), expected, atol=0.015)
    assert expected.max() - expected.min() > 0.15  # not uniform by chance


def test_high_temperature_is_uniform_masking():
    patches, noise = torch.randn(4, 5, 3, 12), torch.rand(4, 15)
    found = motion_aware_masking(patches, 0.5, 1e9, noise)
    for a, b in zip(found, random_masking(patches, 0.5, noise)):
        assert torch.equal(a, b)


def test_uniform_masking_keeps_the_lowest_noise():
    noise = torch.tensor([[0.5, 0.1, 0.9, 0.3, 0.7, 0.2]])
    ids_keep, ids_restore, mask = random_masking(torch.zeros(1, 3, 2, 12), 0.5, noise)
    assert ids_keep.tolist() == [[1, 5, 3]]
    assert mask.tolist() == [[1, 0, 1, 0, 1, 0]]
    assert ids_restore.tolist() == [[3, 0, 5, 2, 4, 1]]
    still = motion_aware_masking(torch.zeros(1, 3, 2, 12), 0.5, 0.8, noise)
    for found, expected in zip(still, (ids_keep, ids_restore, mask)):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    'num_tokens, ratio, kept',
    [(750, 0.75, 187), (10, 0.85, 1), (250, 0.9, 24)],  # as the golden arrays: 1 − 0.9 < 0.1
)
def test_number_of_kept_tokens(num_tokens, ratio, kept):
    assert num_kept_tokens(num_tokens, ratio) == kept
    noise = torch.rand(1, num_tokens)
    ids_keep, _, mask = random_masking(torch.zeros(1, num_tokens // 2, 2, 12), ratio, noise)
    assert ids_keep.shape == (1, kept)
    assert mask.sum() == num_tokens - kept
