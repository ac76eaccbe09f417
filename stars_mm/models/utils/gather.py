from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_rank, get_world_size
from torch import Tensor
from torch import distributed as dist


class _GatherWithGrad(torch.autograd.Function):
    """All-gather whose backward sums the gradients of all ranks."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.cat(all_gather(x.contiguous()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(get_world_size())[get_rank()]


def gather_with_grad(x: Tensor) -> Tensor:
    """Concatenate a tensor over the ranks, gradients flowing back to each.

    (N, …) → (W·N, …) in the order of the ranks; N is the same on each. With DDP, which averages
    parameter gradients over W ranks, the mean of the ranks' losses is what is minimised.
    """
    return _GatherWithGrad.apply(x) if get_world_size() > 1 else x


@torch.no_grad()
def gather_without_grad(x: Tensor) -> Tensor:
    """As :func:`gather_with_grad`, without gradient."""
    return torch.cat(all_gather(x.contiguous()))


def weight_of_rank(x: Tensor) -> float | Tensor:
    """What a rank's mean over the N rows of ``x`` has to be multiplied by, so that the mean over
    the ranks, which DDP takes of the gradients, is that over all ranks' rows: W·N / ΣN, which is 1
    where every rank has as many."""
    if get_world_size() == 1:
        return 1.0
    total = torch.tensor(float(len(x)), device=x.device)
    all_reduce(total)
    return get_world_size() * len(x) / total
