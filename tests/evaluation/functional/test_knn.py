import math
from collections import Counter

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode

from stars_mm.evaluation.functional import knn_accuracy, knn_predict, nearest_neighbors

KS = (1, 2, 5, 10)
CHUNKS = [(7, 3), (4096, 11), (3, 4096)]


@pytest.fixture
def data():
    """Overlapping classes, so that neighbors disagree."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (150,), generator=generator)
    feats = torch.randn(150, 8, generator=generator)
    feats[:, :4] += torch.eye(4)[labels]
    feats *= 10 ** torch.rand(150, 1, generator=generator)  # any length
    return feats[:100], labels[:100], feats[100:], labels[100:]


def test_uniform_votes_against_sklearn(data):
    bank, bank_labels, query, labels = data
    predictions = knn_predict(bank, bank_labels, query, KS)
    accuracy = knn_accuracy(bank, bank_labels, query, labels, KS)
    assert list(accuracy) == [f'top1_k{k}' for k in KS]
    for k, found, value in zip(KS, predictions, accuracy.values()):
        oracle = KNeighborsClassifier(k, metric='cosine')
        oracle.fit(bank.numpy(), bank_labels.numpy())
        assert found.tolist() == oracle.predict(query.numpy()).tolist()
        assert 20 < (found == labels).sum() < 50  # neither chance nor perfect
        assert value == pytest.approx(100 * oracle.score(query.numpy(), labels.numpy()))
    mixed = knn_predict(bank, bank_labels, query, (10, 1, 5, 1))
    assert torch.equal(mixed, predictions[[3, 0, 2, 0]])


@pytest.mark.parametrize('temperature', [0.1, 0.01])
def test_weighted_votes_against_loops(data, temperature):
    bank, bank_labels, query, _ = data
    found = knn_predict(bank, bank_labels, query, (10, 40), temperature)
    cosines = torch.cosine_similarity(query[:, None].double(), bank[None].double(), dim=2).tolist()
    for k, predictions in zip((10, 40), found.tolist()):
        for cosine, prediction in zip(cosines, predictions):
            votes = Counter()
            for value, label in sorted(zip(cosine, bank_labels.tolist()), reverse=True)[:k]:
                votes[label] += math.exp(value / temperature)
            assert prediction == max(votes, key=votes.get)
    for chunks in CHUNKS:
        sizes = dict(zip(('chunk_size', 'bank_chunk_size'), chunks))
        again = knn_predict(bank, bank_labels, query, (10, 40), temperature, **sizes)
        assert torch.equal(again, found)


def test_weights_do_not_overflow_and_a_tie_goes_to_the_smallest_class():
    """At a temperature of 0.005, exp(1 / T) is beyond single precision."""
    bank = torch.tensor([[1.0, 0.1], [1.0, 0.0], [1.0, -0.01]])
    found = knn_predict(bank, torch.tensor([0, 1, 2]), torch.tensor([[1.0, -0.002]]), (3,), 0.005)
    assert found.tolist() == [[1]]
    found = knn_predict(bank[:2], torch.tensor([2, 3]), torch.tensor([[1.0, 0.0]]), (1, 2))
    assert found.tolist() == [[3], [2]]


def test_nearest_against_all_pairs(data):
    bank, _, query, _ = data
    cosine = torch.cosine_similarity(query[:, None].double(), bank[None].double(), dim=2)
    wanted, wanted_index = cosine.sort(dim=1, descending=True, stable=True)
    whole, index = nearest_neighbors(bank, query, 12)
    assert torch.equal(index, wanted_index[:, :12])
    torch.testing.assert_close(whole.double(), wanted[:, :12], rtol=0, atol=1e-7)
    for chunks in CHUNKS:
        similarity, index = nearest_neighbors(bank, query, 12, *chunks)
        assert torch.equal(index, wanted_index[:, :12])
        assert torch.equal(similarity, whole)  # bit by bit


def test_equal_clips_come_in_the_order_of_the_bank():
    """Twenty clips of three directions, of any length, one without any."""
    directions = torch.tensor([[3.0, 4.0], [4.0, 3.0], [-1.0, 0.0], [0.0, 0.0]])
    which = torch.tensor([0, 1, 2, 3, 1, 0, 2, 1, 1, 0] * 2)
    bank = directions[which] * 2.0 ** torch.arange(-9, 11)[:, None]
    query = torch.tensor([[3.0, 4.0], [4.0, 3.0], [0.0, 0.0]]).repeat(3, 1)
    similarity, index = nearest_neighbors(bank, query, 8, 7, 3)
    same = {n: torch.nonzero(which == n).flatten().tolist() for n in range(3)}
    assert index.tolist() == [same[0] + same[1][:2], same[1], list(range(8))] * 3
    assert similarity[0].tolist() == pytest.approx([1.0] * 6 + [0.96] * 2)
    assert similarity[1:3].tolist() == [pytest.approx([1.0] * 8), [0.0] * 8]


class LargestTensor(TorchDispatchMode):
    """Notes the size of the largest tensor that an operation makes."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for part in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(part, torch.Tensor):
                self.size = max(self.size, part.numel())
        return out


def test_memory_is_bounded():
    """Not even the neighbors' ties need the matrix of all pairs."""
    bank, query = torch.randn(1500, 4), torch.randn(1000, 4)
    bank[500:] = 1.0
    query[300:] = 1.0
    with LargestTensor() as largest:
        nearest_neighbors(bank, query, 5, 100, 300)
    assert largest.size <= 100 * 300


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_gpu_gives_the_same_bits():
    bank, query = torch.randn(20000, 256), torch.randn(3000, 256)
    bank[5000:6000] = bank[:1000]
    query[:500] = bank[:500]
    found = nearest_neighbors(bank, query, 40, 700, device='cuda')
    for ours, theirs in zip(found, nearest_neighbors(bank, query, 40, 1024)):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize('ks', [(1, 101), (0,)])
def test_k_out_of_range(data, ks):
    bank, bank_labels, query, _ = data
    for search in (knn_predict, lambda *given: nearest_neighbors(bank, query, given[3][-1])):
        with pytest.raises(ValueError, match='between 1 and .* bank, 100'):
            search(bank, bank_labels, query, ks)


def test_the_most_similar_of_several_views_counts():
    generator = torch.Generator().manual_seed(0)
    bank, views = torch.randn(40, 5, generator=generator), torch.randn(9, 3, 5, generator=generator)
    near, places = nearest_neighbors(bank, views, 4, chunk_size=2, bank_chunk_size=16)
    cosines = normalize(views, dim=2) @ normalize(bank).t()  # (9, 3, 40)
    for row, own in enumerate(cosines):
        best = [max(float(own[view, place]) for view in range(3)) for place in range(40)]
        order = sorted(range(40), key=lambda place: -best[place])[:4]
        assert places[row].tolist() == order
        assert near[row].tolist() == pytest.approx([best[place] for place in order], abs=1e-6)
