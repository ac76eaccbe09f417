from itertools import permutations

import torch
from mmengine.dist import all_reduce
from torch import Tensor


def view_pairs(num_views: int) -> list[tuple[int, int]]:
    """Ordered pairs of different views; of a single view with itself."""
    return list(permutations(range(num_views), 2)) or [(0, 0)]


def distinct_views(inputs: Tensor) -> Tensor:
    """The first view alone where every sample's views are equal, on all ranks: the number of views
    decides how often a head gathers, so the ranks have to agree.

    Args:
        inputs (Tensor): Clips of shape (N, views, …).

    Returns:
        Tensor: Clips of shape (N, views or 1, …).
    """
    if inputs.shape[1] == 1:  # spares a GPU the synchronisation below
        return inputs
    identical = (inputs == inputs[:, :1]).all().to(torch.uint8)
    all_reduce(identical, 'min')
    return inputs[:, :1] if identical else inputs
