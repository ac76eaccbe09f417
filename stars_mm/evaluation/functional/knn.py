from typing import Dict, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def knn_predict(bank_feats: Tensor,
                bank_labels: Tensor,
                query_feats: Tensor,
                ks: Sequence[int] = (1, ),
                temperature: Optional[float] = None,
                chunk_size: int = 4096) -> Tensor:
    """Classify by the votes of the nearest neighbours under cosine
    similarity.

    Exact, in memory bounded by ``chunk_size`` × the size of the bank.

    Args:
        bank_feats (Tensor): Features of the labelled samples, (B, C).
        bank_labels (Tensor): Their classes, (B, ).
        query_feats (Tensor): Features to classify, (Q, C).
        ks (Sequence[int]): Numbers of neighbours.
        temperature (float, optional): Votes weigh exp(similarity /
            temperature); by default all weigh the same. Among classes with
            equal votes the smallest wins.
        chunk_size (int): Queries compared with the bank at a time.

    Returns:
        Tensor: Predicted classes, (len(ks), Q).

    Raises:
        ValueError: If a k exceeds the bank.
    """
    if not 1 <= min(ks) <= max(ks) <= len(bank_feats):
        raise ValueError(f'Every k of {tuple(ks)} must lie between 1 and the '
                         f'size of the bank, {len(bank_feats)}.')
    bank_feats = F.normalize(bank_feats)
    num_classes = int(bank_labels.max()) + 1
    predictions = []
    for query in F.normalize(query_feats).split(chunk_size):
        similarity, index = (query @ bank_feats.t()).topk(max(ks), dim=1)
        weights = torch.ones_like(similarity)
        if temperature is not None:
            # relative to the nearest, which cannot overflow
            weights = ((similarity - similarity[:, :1]) / temperature).exp()
        labels = bank_labels[index]  # (chunk, k)
        votes = weights.new_zeros(len(query), num_classes)
        chunk, done = [], 0
        for k in sorted(set(ks)):
            votes.scatter_add_(1, labels[:, done:k], weights[:, done:k])
            chunk.append(votes.argmax(dim=1))
            done = k
        predictions.append(torch.stack(chunk))
    order = [sorted(set(ks)).index(k) for k in ks]
    return torch.cat(predictions, dim=1)[order]


def knn_accuracy(bank_feats: Tensor,
                 bank_labels: Tensor,
                 query_feats: Tensor,
                 query_labels: Tensor,
                 ks: Sequence[int] = (1, 2, 5, 10),
                 temperature: Optional[float] = None) -> Dict[str, float]:
    """Accuracy of :func:`knn_predict`.

    Args:
        bank_feats (Tensor): Features of the labelled samples, (B, C).
        bank_labels (Tensor): Their classes, (B, ).
        query_feats (Tensor): Features to classify, (Q, C).
        query_labels (Tensor): Their true classes, (Q, ).
        ks (Sequence[int]): Numbers of neighbours.
        temperature (float, optional): See :func:`knn_predict`.

    Returns:
        dict[str, float]: ``top1_k{k}`` in percent for each k.
    """
    predictions = knn_predict(bank_feats, bank_labels, query_feats, ks,
                              temperature)
    accuracy = (predictions == query_labels).double().mean(dim=1) * 100
    return {f'top1_k{k}': acc for k, acc in zip(ks, accuracy.tolist())}
