import math

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from stars_mm.evaluation.functional import knn_accuracy, knn_predict

KS = (1, 2, 5, 10)


@pytest.fixture
def data():
    """Overlapping classes, so that neighbours disagree."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (150, ), generator=generator)
    feats = torch.randn(150, 8, generator=generator)
    feats[:, :4] += torch.eye(4)[labels]
    feats *= 10**torch.rand(150, 1, generator=generator)  # any length
    return feats[:100], labels[:100], feats[100:], labels[100:]


@pytest.mark.parametrize('k', KS)
def test_uniform_votes_against_sklearn(data, k):
    bank, bank_labels, query, labels = data
    oracle = KNeighborsClassifier(k, metric='cosine')
    oracle.fit(bank.numpy(), bank_labels.numpy())
    wanted = oracle.predict(query.numpy())
    found, = knn_predict(bank, bank_labels, query, (k, ))
    assert found.tolist() == wanted.tolist()
    assert 20 < (found == labels).sum() < 50  # neither chance nor perfect
    accuracy = knn_accuracy(bank, bank_labels, query, labels, (k, ))
    assert accuracy == {
        f'top1_k{k}': pytest.approx(
            100 * oracle.score(query.numpy(), labels.numpy()))
    }


def weighted_votes(bank, bank_labels, query, k, temperature) -> list:
    predictions = []
    for q in query.double():
        pairs = []
        for b, label in zip(bank.double(), bank_labels.tolist()):
            cosine = float(q @ b / (q.norm() * b.norm()))
            pairs.append((cosine, label))
        votes = {}
        for cosine, label in sorted(pairs, reverse=True)[:k]:
            votes[label] = votes.get(label, 0) + math.exp(
                cosine / temperature)
        predictions.append(max(votes, key=votes.get))
    return predictions


@pytest.mark.parametrize('temperature', [0.1, 0.01, 1.])
def test_weighted_votes_against_loops(data, temperature):
    bank, bank_labels, query, _ = data
    found = knn_predict(bank, bank_labels, query, (10, 20, 40), temperature)
    for k, prediction in zip((10, 20, 40), found.tolist()):
        assert prediction == weighted_votes(bank, bank_labels, query, k,
                                            temperature)


def test_weights_do_not_overflow():
    """At a temperature of 0.005, exp(1 / T) is beyond single precision."""
    bank = torch.tensor([[1., .1], [1., 0.], [1., -.01]])
    found = knn_predict(bank, torch.tensor([0, 1, 2]),
                        torch.tensor([[1., -.002]]), (3, ), 0.005)
    assert found.tolist() == [[1]]


@pytest.mark.parametrize('temperature', [None, 0.1])
def test_chunks_change_nothing(data, temperature):
    bank, bank_labels, query, _ = data
    whole = knn_predict(bank, bank_labels, query, KS, temperature)
    for chunk_size in (1, 7, 50):
        assert torch.equal(
            knn_predict(bank, bank_labels, query, KS, temperature,
                        chunk_size), whole)


def test_order_of_ks(data):
    bank, bank_labels, query, _ = data
    straight = knn_predict(bank, bank_labels, query, (1, 5, 10))
    mixed = knn_predict(bank, bank_labels, query, (10, 1, 5, 1))
    assert torch.equal(mixed, straight[[2, 0, 1, 0]])


def test_tie_goes_to_the_smallest_class():
    bank = torch.tensor([[1., 0.], [1., .1]])
    found = knn_predict(bank, torch.tensor([3, 2]), torch.tensor([[1., 0.]]),
                        (1, 2))
    assert found.tolist() == [[3], [2]]


@pytest.mark.parametrize('ks', [(1, 101), (0, ), (-1, 2)])
def test_k_out_of_range(data, ks):
    bank, bank_labels, query, _ = data
    with pytest.raises(ValueError, match='between 1 and .* bank, 100'):
        knn_predict(bank, bank_labels, query, ks)
