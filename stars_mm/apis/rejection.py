"""When a clip is none of the classes that are known."""

import torch
from torch import Tensor

FALSE_REJECTION = 0.05
_SINGLE = 0.1  # the quantile where no class has two examples


def similarity_threshold(features: Tensor, labels: Tensor) -> float:
    """Least similarity to the nearest example of a clip that is taken for known.

    It comes from the examples alone. One that is left out has to be known: the 5 % quantile of the
    similarities to the nearest other example of the same class. But takes of one person are more
    alike than those of two, so that is often too much to ask: it is never more than the median
    similarity to the nearest example of another class, which is how near an unknown action comes.
    Where no class has two examples, it is the 10 % quantile of these; and -1, which knows
    everything, where there is a single example.

    Args:
        features (Tensor): (n, K) of unit length.
        labels (Tensor): Number of the class of each, (n, ).
    """
    near = features @ features.t()
    same = labels[:, None] == labels
    others = near.masked_fill(same, -1).amax(dim=1)
    others = others[(~same).any(dim=1)]
    own = near.masked_fill(~same | torch.eye(len(near), dtype=torch.bool), -1).amax(dim=1)
    own = own[same.sum(dim=1) > 1]
    if not len(own):
        return float(others.quantile(_SINGLE)) if len(others) else -1.0
    threshold = own.quantile(FALSE_REJECTION)
    return float(torch.minimum(threshold, others.median()) if len(others) else threshold)
