"""Slots for persons that hold nobody, or somebody again."""

import torch
from torch import Tensor


@torch.no_grad()
def person_sources(x: Tensor) -> Tensor:
    """Find for each slot one that surely gives the same tokens.

    Args:
        x (Tensor): Skeletons of shape (N, M, T, V, C).

    Returns:
        Tensor: Indices (N·M, ) into the slots: of an empty one the first empty one, of one that
        repeats its sample's first person that one's, of any other its own.
    """
    N, M = x.shape[:2]
    slots = torch.arange(N * M, device=x.device).reshape(N, M)
    repeated = (x == x[:, :1]).flatten(2).all(dim=2)  # (N, M)
    source = torch.where(repeated, slots[:, :1], slots).flatten()
    empty = (x == 0).flatten(2).all(dim=2).flatten()  # (N·M, )
    first_empty = empty.int().argmax()  # of no account where none is empty
    return torch.where(empty, first_empty, source)


def drop_absent(x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Leave out persons that are all zeros.

    Args:
        x (Tensor): Skeletons of shape (B, T, V, C).
        noise (Tensor, optional): A row a skeleton, (B, L).

    Returns:
        tuple[Tensor, Tensor]: Those that are present, and their rows. Where
        none is, all are given back, so that the loss stays a number.
    """
    present = (x != 0).flatten(1).any(dim=1)
    present |= ~present.any()
    return x[present], noise if noise is None else noise[present]
