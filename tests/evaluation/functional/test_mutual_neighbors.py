import pytest
import torch
from torch.nn.functional import normalize

from stars_mm.evaluation.functional import mutual_neighbors, pull_to_mutual_neighbors


def by_loops(bank, query, k, weight, power):
    """Neighbor by neighbor."""
    bank, query = normalize(bank), normalize(query)
    near = {}
    for i, f in enumerate(bank):
        others = [j for j in range(len(bank)) if j != i]
        near[i] = sorted(others, key=lambda j: -float(f @ bank[j]))[:k]
    reach = [min(float(bank[i] @ bank[j]) for j in near[i]) for i in near]

    def pull(f, neighbors):
        weights = [max(float(f @ bank[j]), 0) ** power for j in neighbors]
        mutual = [float(f @ bank[j]) >= reach[j] - 1e-12 for j in neighbors]
        found = sum(w * bank[j] for w, j, m in zip(weights, neighbors, mutual) if m)
        total = sum(w for w, m in zip(weights, mutual) if m)
        return normalize(f + weight * found / total if total else f, dim=0)

    pulled = [pull(f, near[i]) for i, f in enumerate(bank)]
    nearest = [sorted(range(len(bank)), key=lambda j: -float(f @ bank[j]))[:k] for f in query]
    return torch.stack(pulled), torch.stack([pull(f, own) for f, own in zip(query, nearest)])


@pytest.mark.parametrize('k, weight, power', [(4, 1.0, 6), (7, 0.5, 3), (50, 1.0, 6)])
def test_against_loops(k, weight, power, monkeypatch):
    """The bank has 30 clips, so the last k is more than there are; rows go in parts."""
    monkeypatch.setattr(mutual_neighbors, '_ROWS', 8)
    generator = torch.Generator().manual_seed(0)
    bank, query = (torch.randn(n, 5, generator=generator, dtype=torch.float64) for n in (30, 11))
    found = pull_to_mutual_neighbors(bank, query, k, weight, power)
    wanted = by_loops(bank, query, min(k, 29), weight, power)
    for own, other in zip(found, wanted):
        torch.testing.assert_close(own, other, rtol=1e-6, atol=1e-6)
        assert not torch.allclose(own, normalize(bank if len(own) == 30 else query))


def test_copies_and_few_clips():
    """Clips that equal each other are neighbors, and each not its own; one clip has none."""
    bank = torch.eye(3).repeat(4, 1)  # each four times
    pulled, query = pull_to_mutual_neighbors(bank, torch.tensor([[1.0, 0.2, 0]]), k=2)
    torch.testing.assert_close(pulled, bank)
    assert float(query[0, 0]) > 0.98
    alone = torch.tensor([[3.0, 4.0]])
    for feats in pull_to_mutual_neighbors(alone, alone):
        torch.testing.assert_close(feats, torch.tensor([[0.6, 0.8]]))
    assert pull_to_mutual_neighbors(bank, bank[:0])[1].shape == (0, 3)


def test_a_neighbor_has_to_be_mutual():
    """Of two in a pair and one aside, the one aside stays where it is."""
    angles = torch.tensor([0.0, 0.1, 0.5])
    bank = torch.stack([angles.cos(), angles.sin()], dim=1)
    pulled, _ = pull_to_mutual_neighbors(bank, bank, k=1)
    found = torch.atan2(pulled[:, 1], pulled[:, 0])
    torch.testing.assert_close(found, torch.tensor([0.05, 0.05, 0.5]), rtol=1e-4, atol=1e-5)
