import random
from types import SimpleNamespace

import numpy as np
import torch
from torch.utils.data import DataLoader

from stars_mm.engine.hooks import EpochSeedHook


def draws(**changes) -> tuple:
    """What Python, numpy and torch draw at the start of an epoch."""
    loader = SimpleNamespace(dataset=None)
    runner = SimpleNamespace(seed=1, epoch=2, rank=0, train_dataloader=loader)
    runner.__dict__.update(changes)
    EpochSeedHook().before_train_epoch(runner)
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_randomness_is_that_of_seed_epoch_and_rank():
    first = draws()
    random.random(), np.random.rand(), torch.rand(1)
    assert draws() == first
    for changes in (dict(seed=2), dict(epoch=3), dict(rank=1)):
        assert not set(draws(**changes)) & set(first), changes


def test_the_dataset_is_told_the_epoch():
    told = []
    dataset = SimpleNamespace(set_epoch=lambda epoch, seed: told.append((epoch, seed)))
    draws(train_dataloader=SimpleNamespace(dataset=dataset))
    assert told == [(2, 1)]


def test_workers_take_their_seeds_elsewhere():
    """Persistent ones start in the first epoch of a process, which a resumed run has later."""
    loader = DataLoader(range(4))
    EpochSeedHook().before_train(SimpleNamespace(train_dataloader=loader))
    state = torch.get_rng_state()
    list(loader)
    assert torch.equal(torch.get_rng_state(), state)
