"""Random transforms that depend only on seed, epoch and sample."""

import copy
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


def test_the_same_for_any_number_of_workers(write, clips):
    dataset = SkeletonDataset(write(clips), PIPELINE)
    loaders = {
        0: DataLoader(dataset, batch_size=2),
        2: DataLoader(
            dataset,
            batch_size=2,
            num_workers=2,
            persistent_workers=True,
            multiprocessing_context='fork',
        ),
    }
    epochs = []
    for epoch in (0, 1, 2):
        dataset.set_epoch(epoch, seed=5)
        samples = {n: torch.cat(list(loader)) for n, loader in loaders.items()}
        assert torch.equal(samples[0], samples[2])
        epochs.append(samples[0])
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[1], epochs[2])


def test_order_and_company_do_not_matter(dataset):
    dataset.set_epoch(3, seed=1)
    forwards = [dataset[i] for i in range(6)]
    backwards = [dataset[i] for i in range(-1, -7, -1)]
    for one, other in zip(forwards, reversed(backwards)):
        assert torch.equal(one, other)


def test_every_part_of_the_key_counts(dataset, clips, write):
    same = SkeletonDataset(write([clips[0]] * 2, all=['clip0']), PIPELINE)
    found = []
    for epoch, seed in ((0, 0), (1, 0), (0, 1), (0, 2**32)):
        same.set_epoch(epoch, seed)
        found += [same[0], same[1]]
    for i, one in enumerate(found):
        assert not any(torch.equal(one, other) for other in found[i + 1 :])


def test_the_main_process_keeps_its_generators(dataset):
    dataset.set_epoch(0, seed=0)

    def draws():
        np.random.seed(1), random.seed(1), torch.manual_seed(1)
        if use:
            dataset[0]
        return np.random.rand(), random.random(), torch.rand(1).item()

    use = False
    without = draws()
    use = True
    assert draws() == without


def test_without_set_epoch_the_global_generators_act(dataset):
    np.random.seed(0), random.seed(0), torch.manual_seed(0)
    first, second = dataset[0], dataset[0]
    assert not torch.equal(first, second)
    np.random.seed(0), random.seed(0), torch.manual_seed(0)
    assert torch.equal(first, dataset[0])


def test_a_copy_has_an_epoch_of_its_own(dataset):
    dataset.set_epoch(0, seed=0)
    other = copy.deepcopy(dataset)
    assert torch.equal(other[0], dataset[0])
    assert torch.equal(dataset.get_subset([0, 1])[1], dataset[1])
    other.set_epoch(1, seed=0)
    assert not torch.equal(other[0], dataset[0])
    assert other._epoch_seed._state.is_shared()


def test_numbers_are_checked(dataset):
    with pytest.raises(ValueError, match='epoch=-1, seed=0'):
        dataset.set_epoch(-1, seed=0)
