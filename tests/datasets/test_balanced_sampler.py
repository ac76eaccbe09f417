"""Shares of an epoch, counted."""

from collections import Counter

import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset

from stars_mm.datasets import BalancedSampler


class Numbers(BaseDataset):
    def __init__(self, size):
        self.size = size
        super().__init__()

    def load_data_list(self):
        return [dict(number=n) for n in range(self.size)]


@pytest.fixture(scope='module')
def union():
    return ConcatDataset([Numbers(size) for size in (100, 4, 25)])


def per_set(indices):
    return [
        sum(begin <= i < end for i in indices) for begin, end in ((0, 100), (100, 104), (104, 129))
    ]


@pytest.mark.parametrize(
    'options, expected',
    [
        (dict(power=1), [100, 4, 25]),
        (dict(power=0), [43, 43, 43]),
        (dict(), [76, 15, 38]),  # 129 · (10, 2, 5) / 17 = 75.9, 15.2, 37.9
        (dict(power=0, epoch_size=10), [4, 3, 3]),
        (dict(power=1, epoch_size=258), [200, 8, 50]),
    ],
)
def test_shares(union, options, expected):
    sampler = BalancedSampler(union, seed=0, **options)
    indices = list(sampler)
    assert len(sampler) == len(indices) == sum(expected)
    assert per_set(indices) == expected
    counts = Counter(indices)
    for begin, end in ((0, 100), (100, 104), (104, 129)):
        own = [counts[index] for index in range(begin, end)]
        assert max(own) - min(own) <= 1  # no clip waits for long
    assert indices != sorted(indices)


def test_an_order_for_each_epoch_and_seed(union):
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (5, 0), (0, 0)):
        sampler = BalancedSampler(union, power=0, seed=seed)
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    first, second, third, again = orders
    assert first == again and first != second != third != first
    taken = set(first) & set(range(100)), set(second) & set(range(100))
    assert len(taken[0]) == len(taken[1]) == 43 and taken[0] != taken[1]


def test_two_processes_share_an_epoch(union, two_ranks):
    def draw(rank):
        sampler = BalancedSampler(union, epoch_size=31)  # the seed is drawn, the same for both
        return len(sampler), list(sampler), sampler.seed

    (length, ours, seed), (other_length, theirs, _) = two_ranks(draw)
    alone = list(BalancedSampler(union, epoch_size=31, seed=seed))
    assert length == other_length == len(ours) == len(theirs) == 16
    together = torch.tensor([ours, theirs]).T.flatten().tolist()
    assert together == [*alone, alone[0]]


def test_refusals(union):
    with pytest.raises(TypeError, match='needs a UnionDataset, and the data set is a Numbers'):
        BalancedSampler(Numbers(3))
    for options in (dict(power=2), dict(epoch_size=0)):
        with pytest.raises(ValueError, match=next(iter(options))):
            BalancedSampler(union, **options)
