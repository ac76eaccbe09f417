import numpy as np
import pytest
import torch
from sklearn import metrics
from sklearn.cluster import KMeans

from stars_mm.evaluation.functional import class_distances, cluster_scores, silhouette_samples


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=60) * 5  # classes 0, 5, 10
    feats = rng.normal(size=(60, 6)) + 2 * np.eye(11, 6)[labels]
    return feats * rng.uniform(1, 9, size=(60, 1)), labels


def ratio_by_hand(feats, labels) -> float:
    """Every pair of different clips, once."""
    pairs = dict(intra=[], inter=[])
    for i in range(len(feats)):
        for j in range(i):
            lengths = np.linalg.norm(feats[i]) * np.linalg.norm(feats[j]) + 1e-300
            distance = 1 - feats[i] @ feats[j] / lengths
            pairs['intra' if labels[i] == labels[j] else 'inter'].append(distance)
    return np.mean(pairs['intra']) / np.mean(pairs['inter'])


def test_against_sklearn(data):
    feats, labels = data
    found = cluster_scores(torch.tensor(feats), torch.tensor(labels), seed=3)
    directions = (feats / np.linalg.norm(feats, axis=1, keepdims=True)).astype(np.float32)
    clusters = KMeans(3, n_init=10, random_state=3).fit(directions).labels_
    assert found == pytest.approx(
        dict(
            nmi=metrics.normalized_mutual_info_score(labels, clusters),
            ari=metrics.adjusted_rand_score(labels, clusters),
            # cosine distance does not see lengths
            silhouette=metrics.silhouette_score(feats, labels, metric='cosine'),
            distance_ratio=ratio_by_hand(feats, labels),
        ),
        rel=1e-5,
    )
    assert 0.1 < found['nmi'] < 0.99


def test_silhouette_of_every_clip_against_sklearn(data):
    """Also of one that is alone in its class, and of features of zeros."""
    feats, labels = data
    feats[[3, 8]] = 0
    labels[5] = 7
    found = silhouette_samples(torch.tensor(feats), torch.tensor(labels))
    wanted = metrics.silhouette_samples(feats, labels, metric='cosine')
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert found[5] == 0
    assert class_distances(torch.tensor(feats), torch.tensor(labels))['ratio'] == pytest.approx(
        ratio_by_hand(feats, labels)
    )


def test_distances_in_closed_form():
    """Two classes of two clips each at ±a / 2 about the directions 0 and π: within, all
    pairs are the angle a apart; between, two are π apart and two are π ± a."""
    a = 1.0
    angles = torch.tensor([-a / 2, a / 2, np.pi - a / 2, np.pi + a / 2], dtype=torch.float64)
    feats = torch.stack([angles.cos(), angles.sin()], 1) * torch.tensor(
        [[1.0], [5.0], [2.0], [7.0]]
    )
    found = class_distances(feats, torch.tensor([4, 4, 1, 1]))
    intra, inter = 1 - np.cos(a), 1 + (1 + np.cos(a)) / 2
    assert found == pytest.approx(dict(intra=intra, inter=inter, ratio=intra / inter))


def test_features_that_are_all_alike():
    """A collapsed encoder: no class is nearer than another."""
    feats = torch.tensor([[0.1, 0.2, 0.7]]).repeat(60, 1)
    feats *= torch.arange(1, 61)[:, None]
    labels = torch.arange(60) % 3
    assert not silhouette_samples(feats, labels).any()
    found = class_distances(feats, labels)
    assert found == pytest.approx(dict(intra=0, inter=0, ratio=1), abs=1e-7)


def test_too_few():
    with pytest.raises(ValueError, match='each of the 3 clips is alone'):
        class_distances(torch.randn(3, 2), torch.arange(3))
    for labels in ([1, 1, 1], [0, 1, 2]):
        with pytest.raises(ValueError, match=r'at least two classes.* 3 clips'):
            cluster_scores(torch.randn(3, 2), torch.tensor(labels))
