from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# What is left of 1 − cos of equal directions in double precision is less.
_ROUNDING = 1e-12
_PART = 4096  # features at a time
_STARTS = 10  # of k-means


#: ``share(function, items)`` gives ``[function(item) for item in items]``.
Share = Callable[[Callable[[Any], Any], Sequence[Any]], list]


def _alone(function: Callable[[Any], Any], items: Sequence[Any]) -> list:
    return [function(item) for item in items]


def cluster_scores(
    feats: Tensor, labels: Tensor, seed: int = 0, share: Share = _alone
) -> dict[str, float]:
    """How well features (N, C) cluster by class (N, ).

    The features are L2-normalised; k-means is given a seed, the true number of
    classes and the best of ten starts. ``share(function, items)`` calls the function for each item,
    on several processes or here.

    Returns:
        dict[str, float]: ``nmi`` (0…1) and ``ari`` (−1…1) of the k-means clusters against the
        classes; ``silhouette`` (−1…1), the mean silhouette of the true classes under cosine
        distance; and ``distance_ratio``, see :func:`class_distances`.

    Raises:
        ValueError: If the features hold fewer than two classes, or no two clips of a class.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    feats, labels = F.normalize(feats.float()).cpu(), labels.cpu()
    num_classes = len(labels.unique())
    if not 2 <= num_classes < len(labels):
        raise ValueError(
            'Cluster scores need at least two classes and more clips than classes; got '
            f'{num_classes} classes in {len(labels)} clips.'
        )
    clusters = k_means(feats.numpy(), num_classes, seed, share)
    return dict(
        nmi=float(normalized_mutual_info_score(labels, clusters)),
        ari=float(adjusted_rand_score(labels, clusters)),
        silhouette=float(silhouette_samples(feats, labels, share).mean()),
        distance_ratio=class_distances(feats, labels)['ratio'],
    )


def k_means(feats: np.ndarray, number: int, seed: int, share: Share = _alone) -> np.ndarray:
    """Clusters (N, ) of features (N, C): scikit-learn's ``KMeans(number, n_init=10)``, whose ten
    starts are ten calls."""
    from sklearn.cluster import KMeans, kmeans_plusplus
    from threadpoolctl import threadpool_limits

    def run(start: int) -> tuple[float, np.ndarray]:
        random = np.random.RandomState(seed)
        for _ in range(start):  # draws as often as for all features
            kmeans_plusplus(feats[:number], number, random_state=random)
        with threadpool_limits(limits=1):  # k-means is slow with busy threads
            found = KMeans(number, n_init=1, random_state=random).fit(feats)
        return found.inertia_, found.labels_

    return min(share(run, range(_STARTS)), key=lambda run: run[0])[1]


def silhouette_samples(feats: Tensor, labels: Tensor, share: Share = _alone) -> Tensor:
    """Silhouette (N, ) of every clip under cosine distance, 1 − cos, by features (N, C) and at
    least two classes (N, ).

    It is (b − a) / max(a, b), where a is the mean distance to the others of its class and b that to
    the nearest other class; 0 for a clip that is alone in its class. As scikit-learn's, without its
    distances of all pairs: the mean of the cosines to the clips of a class is one product, with the
    sum of their directions.
    """
    own, counts, sums, norms = _classes(feats, labels)
    parts = feats.cpu().split(_PART)
    cosines = torch.cat(share(lambda part: F.normalize(part.double()) @ sums.t(), parts))
    rows = torch.arange(len(own))
    others = (counts[own] - 1).clamp(min=1)
    inner = 1 - (cosines[rows, own] - norms) / others  # (N, )
    outer = 1 - cosines / counts  # (N, K)
    outer[rows, own] = torch.inf
    outer = outer.min(dim=1).values
    inner, outer = (dist.where(dist > _ROUNDING, 0.0) for dist in (inner, outer))
    scores = (outer - inner) / torch.maximum(inner, outer)
    return scores.nan_to_num(0.0).where(counts[own] > 1, 0.0)


def class_distances(feats: Tensor, labels: Tensor) -> dict[str, float]:
    """Mean cosine distance, 1 − cos, of features (N, C) within and between the classes (N, ), at
    least two.

    Both are means over pairs of different clips, so that a large class counts by its pairs. With u
    the directions of the features, the cosines of all pairs of a class add up to ``|Σu|² − Σ|u|²``.

    Returns:
        dict[str, float]: ``intra`` and ``inter`` (0…2), and ``ratio`` =
        intra / inter: 0 where the clips of a class are alike, about 1 where
        classes mean nothing. Features that are all alike have the ratio 1.

    Raises:
        ValueError: If no class has two clips.
    """
    own, counts, sums, norms = _classes(feats, labels)
    # sums of cosines over ordered pairs
    within = sums.square().sum() - norms.sum()
    total = sums.sum(dim=0).square().sum() - norms.sum()
    pairs = (counts * (counts - 1)).sum()
    all_pairs = float(len(own) * (len(own) - 1))
    if not pairs:
        raise ValueError(
            'Distances within classes need two clips of a class; '
            f'each of the {len(own)} clips is alone.'
        )
    intra = float(1 - within / pairs)
    inter = float(1 - (total - within) / (all_pairs - pairs))
    return dict(intra=intra, inter=inter, ratio=intra / inter if inter > _ROUNDING else 1.0)


def _directions(feats: Tensor) -> Iterator[Tensor]:
    """L2-normalised features in double precision, some at a time."""
    for part in feats.cpu().split(_PART):
        yield F.normalize(part.double())


def _classes(feats: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Place of each clip's class (N, ), clips of each class (K, ), the sum of their directions
    (K, C), and each direction's product with itself (N, ), 1, or 0 for a feature of zeros."""
    _, own, counts = labels.cpu().unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(counts), feats.shape[1], dtype=torch.float64)
    norms = []
    for part, places in zip(_directions(feats), own.split(_PART)):
        sums.index_add_(0, places, part)
        norms.append(part.square().sum(dim=1))
    return own, counts.double(), sums, torch.cat(norms)
