"""Several clips of a sample: their features, and which of them are compared."""

from itertools import permutations

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


def clip_features(backbone: nn.Module, inputs: Tensor) -> Tensor:
    """Sequence feature (N, clips, C′) of every clip of (N, clips, M, T, V, C): mean over persons,
    time and joints."""
    N, num_clips = inputs.shape[:2]
    x = backbone(inputs.flatten(0, 1))  # (N·clips, M, C′, T′, V′)
    return x.mean(dim=(1, 3, 4)).reshape(N, num_clips, -1)


def clip_parts(backbone: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """What a feature space is made of, by one pass of the encoder: ``published``, the mean over
    all tokens of clips (N, clips, M, T, V, C), (N, C′), and ``joints``, that of each joint,
    (N, V′, C′)."""
    x = backbone(inputs.flatten(0, 1))  # (N·clips, M, C′, T′, V′)
    parts = dict(published=x.mean(dim=(1, 3, 4)), joints=x.mean(dim=(1, 3)).mT)
    return {name: part.unflatten(0, inputs.shape[:2]).mean(dim=1) for name, part in parts.items()}


def view_pairs(num_views: int) -> list[tuple[int, int]]:
    """Ordered pairs of different views; of a single view with itself."""
    return list(permutations(range(num_views), 2)) or [(0, 0)]


def distinct_views(inputs: Tensor) -> Tensor:
    """The first view (N, 1, …) alone where every sample's views (N, views, …) are equal, on all
    ranks: the number of views decides how often a head gathers, so the ranks have to agree."""
    if inputs.shape[1] == 1:  # spares a GPU the synchronisation below
        return inputs
    identical = (inputs == inputs[:, :1]).all().to(torch.uint8)
    all_reduce(identical, 'min')
    return inputs[:, :1] if identical else inputs
