from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

#: Strengths among which leave-one-out on the bank chooses.
ALPHAS = tuple(10 ** (half / 2) for half in range(-4, 11))


def ridge_predict(
    bank_feats: Tensor, bank_labels: Tensor, query_feats: Tensor, alphas: Sequence[float] = ALPHAS
) -> Tensor:
    """Classes (Q, ) by a regularized linear classifier.

    scikit-learn's ``RidgeClassifierCV``: least squares to ±1 for each class, whose strength has the
    least squared error when each clip of the bank is left out in turn. The features are moved and
    scaled by the bank's mean and by one number for all of them, so that their mean variance is 1
    and what was weighted against each other stays so.

    Args:
        bank_feats (Tensor), bank_labels (Tensor): Features to learn from, (B, C), and classes.
        query_feats (Tensor): Features to classify, (Q, C).
        alphas (Sequence[float]): Strengths to choose from.

    Raises:
        ValueError: If the bank has a single class.
    """
    weight, bias = fit_ridge(bank_feats, bank_labels, alphas)
    scores = query_feats.double().cpu().numpy() @ weight.T + bias
    return torch.from_numpy(np.unique(bank_labels.cpu().numpy())[scores.argmax(axis=1)])


def ridge_accuracy(
    bank_feats: Tensor,
    bank_labels: Tensor,
    query_feats: Tensor,
    query_labels: Tensor,
    alphas: Sequence[float] = ALPHAS,
) -> float:
    """Accuracy of :func:`ridge_predict`, which says what the arguments are, in percent."""
    found = ridge_predict(bank_feats, bank_labels, query_feats, alphas)
    return 100 * (found == query_labels.cpu()).double().mean().item()


def fit_ridge(
    feats: Tensor, labels: Tensor, alphas: Sequence[float] = ALPHAS
) -> tuple[np.ndarray, np.ndarray]:
    """The classifier of :func:`ridge_predict`: features (N, C) @ weight (classes, C)ᵀ + bias
    (classes, ) are the scores of the classes that occur, in the order of their numbers."""
    from sklearn.linear_model import RidgeClassifierCV
    from threadpoolctl import threadpool_limits

    bank, targets = feats.double().cpu().numpy(), labels.cpu().numpy()
    if len(np.unique(targets)) < 2:
        raise ValueError(
            f'A classifier needs two classes, the bank has {np.unique(targets)} alone.'
        )
    mean = bank.mean(axis=0)
    scale = np.sqrt(((bank - mean) ** 2).mean()) or 1.0
    with threadpool_limits(limits=1):
        classifier = RidgeClassifierCV(alphas).fit((bank - mean) / scale, targets)
    weight, bias = np.atleast_2d(classifier.coef_ / scale), np.atleast_1d(classifier.intercept_)
    if len(weight) == 1:  # of two classes the second alone has a score
        weight, bias = np.concatenate([-weight, weight]), np.concatenate([-bias, bias])
    return weight, bias - weight @ mean


def draw_labeled(labels: Sequence[int], percent: float, seed: int, draw: int) -> list[int]:
    """Draw a share of clips, each class the same number, as far as it has them, and at least one:
    their sorted places. Of the same seed and draw, a smaller share is a part of a larger one."""
    labels = np.asarray(labels)
    classes = np.unique(labels)
    count = max(round(len(labels) * percent / 100 / len(classes)), 1)
    drawn: list[int] = []
    for label in classes:
        own = np.flatnonzero(labels == label)
        drawn += np.random.default_rng([seed, draw, int(label)]).permutation(own)[:count].tolist()
    return sorted(drawn)
