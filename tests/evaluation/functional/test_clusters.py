import numpy as np
import pytest
import torch
from sklearn import metrics
from sklearn.cluster import KMeans

from stars_mm.evaluation.functional import cluster_scores


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=60) * 5  # classes 0, 5, 10
    feats = rng.normal(size=(60, 6)) + 2 * np.eye(11, 6)[labels]
    return feats * rng.uniform(1, 9, size=(60, 1)), labels


def test_against_sklearn(data):
    feats, labels = data
    found = cluster_scores(torch.tensor(feats), torch.tensor(labels), seed=3)
    directions = (feats / np.linalg.norm(feats, axis=1, keepdims=True)).astype(
        np.float32)
    clusters = KMeans(3, n_init=10, random_state=3).fit(directions).labels_
    assert found == pytest.approx(
        dict(
            nmi=metrics.normalized_mutual_info_score(labels, clusters),
            ari=metrics.adjusted_rand_score(labels, clusters),
            # cosine distance does not see lengths
            silhouette=metrics.silhouette_score(
                feats, labels, metric='cosine')), rel=1e-5)
    assert 0.1 < found['nmi'] < 0.99


def test_perfect_and_random():
    labels = torch.arange(40) % 4
    assert cluster_scores(torch.eye(4)[labels], labels) == pytest.approx(
        dict(nmi=1, ari=1, silhouette=1))
    noise = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    scores = cluster_scores(noise, torch.arange(400) % 4)
    assert scores == pytest.approx(dict(nmi=0, ari=0, silhouette=0), abs=.03)


@pytest.mark.parametrize('labels', [[1, 1, 1], [0, 1, 2]])
def test_too_few(labels):
    with pytest.raises(ValueError, match=r'at least two classes.* 3 clips'):
        cluster_scores(torch.randn(3, 2), torch.tensor(labels))
