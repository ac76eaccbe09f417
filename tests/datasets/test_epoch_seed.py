"""Random transforms that depend only on seed, epoch and sample."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from stars_mm.datasets import SkeletonDataset

PIPELINE = [
    dict(type='CenterSkeleton'),
    dict(type='TemporalCropResize', clip_len=8, min_frames=4),
    dict(type='RandomRot'),
    lambda results: torch.from_numpy(results['keypoint'][0]) + random.random() + torch.rand(1),
]


@pytest.fixture
def dataset(write, clips):
    return SkeletonDataset(write(clips), PIPELINE)


def test_the_same_for_any_number_of_workers_and_any_order(dataset):
    workers = dict(num_workers=2, persistent_workers=True, multiprocessing_context='fork')
    loaders = [DataLoader(dataset, batch_size=2, **options) for options in ({}, workers)]
    for epoch in (0, 1):
        dataset.set_epoch(epoch, seed=5)
        one, two = (torch.cat(list(loader)) for loader in loaders)
        assert torch.equal(one, two)
        backwards = torch.stack([dataset[i] for i in range(-1, -7, -1)])
        assert torch.equal(one, backwards.flip(0))


def test_every_part_of_the_key_counts(clips, write):
    same = SkeletonDataset(write([clips[0]] * 2, all=['clip0']), PIPELINE)
    found = []
    for epoch, seed in ((0, 0), (1, 0), (0, 1), (0, 2**32)):
        same.set_epoch(epoch, seed)
        found += [same[0], same[1]]
    for i, one in enumerate(found):
        assert not any(torch.equal(one, other) for other in found[i + 1 :])
    subset = same.get_subset([0, 1])
    assert torch.equal(subset[1], same[1])
    subset.set_epoch(1, seed=0)  # of its own
    assert not torch.equal(subset[1], same[1])
    with pytest.raises(ValueError, match='epoch=-1, seed=0'):
        same.set_epoch(-1, seed=0)


def test_the_main_process_keeps_its_generators(dataset):
    first, second = dataset[0], dataset[0]  # before set_epoch the generators act
    assert not torch.equal(first, second)
    dataset.set_epoch(0, seed=0)
    draws = []
    for use in (False, True):
        np.random.seed(1), random.seed(1), torch.manual_seed(1)
        if use:
            dataset[0]
        draws.append((np.random.rand(), random.random(), torch.rand(1).item()))
    assert draws[0] == draws[1]
