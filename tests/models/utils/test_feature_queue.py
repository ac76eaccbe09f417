"""The queue against Python lists."""

import pytest
import torch
import torch.nn.functional as F

from stars_mm.models.utils.feature_queue import FeatureQueue


def _unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


@pytest.mark.parametrize('size, batch', [(10, 4), (5, 5)])
def test_push_is_a_ring(size, batch):
    queue = FeatureQueue(size, 3)
    entries = [(feat, -1) for feat in queue.feats.clone()]
    place = 0
    for step in range(6):
        feats = _unit(batch, 3)
        ids = torch.arange(batch) + step * batch
        queue.push(feats, ids)
        for feat, number in zip(feats, ids.tolist()):
            entries[place % size] = (feat, number)
            place += 1
        assert torch.equal(queue.feats, torch.stack([f for f, _ in entries]))
        assert queue.ids.tolist() == [number for _, number in entries]
        assert queue.ptr.tolist() == [place % size]


def test_starts_with_unit_noise_of_no_sample():
    torch.manual_seed(1)
    queue = FeatureQueue(50, 4)
    torch.testing.assert_close(queue.feats.norm(dim=1), torch.ones(50))
    assert (queue.ids == -1).all() and queue.ptr.tolist() == [0]
    torch.manual_seed(2)  # as on another rank
    assert torch.equal(FeatureQueue(50, 4).feats, queue.feats)


@pytest.mark.parametrize('topk', [1, 3])
def test_draws_evenly_from_the_most_similar_of_other_samples(topk):
    queue, draws = FeatureQueue(12, 4), 3000
    queue.push(_unit(12, 4), torch.arange(12) % 5)
    query, own = queue.feats[2], int(queue.ids[2])  # the most similar of all is its own
    others = [
        (float(query.dot(feat)), index)
        for index, feat in enumerate(queue.feats)
        if int(queue.ids[index]) != own
    ]
    expected = [index for _, index in sorted(others, reverse=True)][:topk]
    found = queue.nearest(query.expand(draws, -1), torch.full((draws,), own), topk)
    counts = torch.bincount(found, minlength=queue.size)
    assert counts.nonzero().flatten().tolist() == sorted(expected)
    shares = counts[expected] / draws
    torch.testing.assert_close(shares, torch.full((topk,), 1 / topk), atol=0.05, rtol=0)


def test_topk_never_takes_the_own_sample():
    queue = FeatureQueue(6, 4)
    queue.push(_unit(6, 4), torch.tensor([7, 7, 3, 7, 7, 4]))
    found = queue.nearest(_unit(200, 4), torch.full((200,), 7), topk=5)
    assert set(found.tolist()) == {2, 5}


def test_autocast_compares_in_float32():
    queue = FeatureQueue(300, 8)
    # entries so alike that bfloat16, with its 8 bits, cannot tell them apart
    base = _unit(8)
    queue.push(F.normalize(base + 0.02 * torch.randn(300, 8)), torch.arange(300))
    query = F.normalize(base + 0.02 * torch.randn(20, 8))
    own = torch.full((20,), -1)
    expected = (query.double() @ queue.feats.double().t()).argmax(dim=1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(queue.nearest(query, own), expected)
        queue.push(query.bfloat16(), own)
    assert queue.feats.dtype == torch.float32
