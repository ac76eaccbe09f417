"""Draws from several data sets so that no large one drowns the small ones."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from mmaction.registry import DATA_SAMPLERS
from mmengine.dataset import ConcatDataset
from mmengine.dist import get_dist_info, sync_random_seed
from torch import Tensor
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class BalancedSampler(Sampler):
    """Gives each data set of a union its share of an epoch, in random order.

    A set's share is proportional to its size to some power: with 0 all have the same share, with
    1 theirs by size. Where that is more clips than it has, each of them comes equally often, or
    once more. Processes draw the same order and each takes its part, as in ``DefaultSampler``.

    Args:
        dataset (ConcatDataset): Such as a :class:`UnionDataset`.
        power (float): 0 to 1.
        epoch_size (int, optional): Clips of an epoch, those of all processes. By default as many as
            there are.
        seed (int, optional): The same in all processes; drawn where it is not given.
    """

    def __init__(
        self,
        dataset: ConcatDataset,
        power: float = 0.5,
        epoch_size: int | None = None,
        seed: int | None = None,
    ) -> None:
        if not isinstance(dataset, ConcatDataset):
            kind = type(dataset).__name__
            raise TypeError(f'BalancedSampler needs a UnionDataset, and the data set is a {kind}.')
        if not 0 <= power <= 1:
            raise ValueError(f'power={power!r}: must lie in [0, 1].')
        if epoch_size is not None and epoch_size < 1:
            raise ValueError(f'epoch_size={epoch_size!r}: give a number of clips, 1 or more.')
        self.sizes = [len(one) for one in dataset.datasets]
        self.counts = shares(self.sizes, power, epoch_size or len(dataset))
        self.rank, self.world_size = get_dist_info()
        self.num_samples = math.ceil(sum(self.counts) / self.world_size)
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(self.seed + self.epoch)
        drawn: list[Tensor] = []
        begin = 0
        for size, count in zip(self.sizes, self.counts):
            whole, rest = torch.arange(size), torch.randperm(size, generator=generator)
            drawn.append(begin + torch.cat([whole.repeat(count // size), rest[: count % size]]))
            begin += size
        indices = torch.cat(drawn)
        indices = indices[torch.randperm(len(indices), generator=generator)]
        # the first ones again where the processes cannot share them evenly
        places = torch.arange(self.rank, self.num_samples * self.world_size, self.world_size)
        return iter(indices[places % len(indices)].tolist())

    def __len__(self) -> int:
        """Clips of an epoch in this process."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Starts an epoch, which has an order of its own."""
        self.epoch = epoch


def shares(sizes: list[int], power: float, total: int) -> list[int]:
    """Parts of ``total`` in proportion to ``sizes`` to a power, rounded so that they add up."""
    exact = np.array(sizes, dtype=np.float64) ** power
    exact *= total / exact.sum()
    counts = np.floor(exact).astype(int)
    largest = np.argsort(counts - exact, kind='stable')  # those that lost most
    counts[largest[: total - counts.sum()]] += 1
    return counts.tolist()
