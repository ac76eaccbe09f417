"""Classifiers of features that learn from a few examples, and the choice between them."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stars_mm.evaluation.functional.ridge import fit_ridge

#: A classifier of features (N, K): scores (N, classes), at most about 1.
Scores = Callable[[Tensor], Tensor]
_FOLDS = 50  # left out in turn where there are more examples


def nearest_example(features: Tensor, labels: Tensor, num_classes: int) -> Scores:
    """Score of a class: cosine to its nearest example."""

    def scores(queries: Tensor) -> Tensor:
        near = F.normalize(queries) @ F.normalize(features).t()  # (N, examples)
        found = near.new_full((near.shape[0], num_classes), -1)
        return found.scatter_reduce(1, labels.expand_as(near), near, 'amax')

    return scores


def class_mean(features: Tensor, labels: Tensor, num_classes: int) -> Scores:
    """Score of a class: cosine to the mean of its examples."""
    which = F.one_hot(labels, num_classes).to(features)
    means = F.normalize(which.t() @ F.normalize(features))
    return lambda queries: F.normalize(queries) @ means.t()


def linear(features: Tensor, labels: Tensor, num_classes: int) -> Scores:
    """Score of a class: least squares to 1 for it and 0 for the others, regularized."""
    present = labels.unique()
    if len(present) < 2 or len(features) <= len(present):  # nothing to choose a strength by
        return class_mean(features, labels, num_classes)
    weight, bias = (torch.from_numpy(x).to(features) for x in fit_ridge(features, labels))

    def scores(queries: Tensor) -> Tensor:
        found = queries.new_full((queries.shape[0], num_classes), -1)
        found[:, present] = (queries @ weight.t() + bias + 1) / 2
        return found

    return scores


CLASSIFIERS = {'nearest-example': nearest_example, 'class-mean': class_mean, 'linear': linear}


def left_out_scores(name: str, features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Scores (N, classes) of every example by a classifier that has not seen it: examples are left
    out one by one, or in 50 parts where there are more."""
    found = torch.empty(len(labels), num_classes)
    order = np.random.default_rng(0).permutation(len(labels))
    for part in np.array_split(order, min(len(labels), _FOLDS)):
        kept = torch.ones(len(labels), dtype=torch.bool)
        kept[part] = False
        if kept.any():
            scores = CLASSIFIERS[name](features[kept], labels[kept], num_classes)
            found[part] = scores(features[part])
    return found


def choose_classifier(
    features: Tensor, labels: Tensor, num_classes: int
) -> tuple[str, dict[str, float]]:
    """The classifier that recognizes most of the examples that are left out in turn.

    Args:
        features (Tensor): (N, K) of unit length.
        labels (Tensor): Numbers of their classes, (N, ).
        num_classes (int): Classes.

    Returns:
        tuple[str, dict]: Its name, the first of equals, and the accuracy of each in percent: of the
        examples whose class has another one; nothing, and the first, where there are none.
    """
    judged = labels.bincount(minlength=num_classes)[labels] > 1
    if not judged.any():
        return next(iter(CLASSIFIERS)), {}
    accuracy = {}
    for name in CLASSIFIERS:
        found = left_out_scores(name, features, labels, num_classes).argmax(dim=1)
        accuracy[name] = float(100 * (found == labels)[judged].double().mean())
    return max(accuracy, key=lambda name: accuracy[name]), accuracy
