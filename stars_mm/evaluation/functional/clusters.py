from typing import Dict

import torch.nn.functional as F
from torch import Tensor


def cluster_scores(feats: Tensor,
                   labels: Tensor,
                   seed: int = 0) -> Dict[str, float]:
    """How well the features cluster by class.

    The features are L2-normalised; k-means is given the true number of
    classes and the best of ten starts.

    Args:
        feats (Tensor): Features, (N, C).
        labels (Tensor): True classes, (N, ).
        seed (int): Seed of k-means.

    Returns:
        dict[str, float]: ``nmi`` (0…1) and ``ari`` (−1…1) of the k-means
        clusters against the classes, and ``silhouette`` (−1…1), the mean
        silhouette of the true classes under cosine distance.

    Raises:
        ValueError: If the features hold fewer than two classes.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import (adjusted_rand_score,
                                 normalized_mutual_info_score,
                                 silhouette_score)
    from threadpoolctl import threadpool_limits
    feats = F.normalize(feats.float()).cpu().numpy()
    labels = labels.cpu().numpy()
    num_classes = len(set(labels.tolist()))
    if not 2 <= num_classes < len(labels):
        raise ValueError('Cluster scores need at least two classes and more '
                         f'clips than classes; got {num_classes} classes in '
                         f'{len(labels)} clips.')
    with threadpool_limits(limits=1):  # k-means is slow with busy threads
        clusters = KMeans(
            num_classes, n_init=10, random_state=seed).fit_predict(feats)
    return dict(
        nmi=float(normalized_mutual_info_score(labels, clusters)),
        ari=float(adjusted_rand_score(labels, clusters)),
        silhouette=float(silhouette_score(feats, labels, metric='cosine')))
