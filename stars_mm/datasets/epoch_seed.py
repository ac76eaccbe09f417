"""Random numbers of a sample that depend on nothing but the sample."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import get_worker_info


class EpochSeed:
    """Seeds the generators from (seed, epoch, sample index).

    A data loader's workers each have their own generators, so what a sample gets depends on how
    many workers there are and what they did before. The epoch lies in shared memory, because
    persistent workers hold a copy of the data set that was made before the first epoch.
    """

    def __init__(self) -> None:
        # whether it has been set, epoch, seed
        self._state = torch.zeros(3, dtype=torch.int64).share_memory_()

    def __deepcopy__(self, memo: dict) -> 'EpochSeed':
        other = EpochSeed()
        other._state.copy_(self._state)
        return other

    def set(self, epoch: int, seed: int) -> None:
        """Starts an epoch, in this process and in the workers it started."""
        if epoch < 0 or seed < 0:
            raise ValueError(
                f'set_epoch needs numbers of 0 or more, and epoch={epoch}, seed={seed}.'
            )
        self._state.copy_(torch.tensor([1, epoch, seed]))

    @contextmanager
    def sample(self, index: int) -> Iterator[None]:
        """Seeds ``numpy.random``, ``random`` and torch for one sample.

        Does nothing before the first :meth:`set`. In the main process, the generators go on
        afterwards as if nothing had happened: the model and the hooks draw from them too.
        """
        is_set, epoch, seed = self._state.tolist()
        if not is_set:
            yield
            return
        in_worker = get_worker_info() is not None
        if not in_worker:
            states = np.random.get_state(), random.getstate(), torch.get_rng_state()
        words = np.random.SeedSequence(seed, spawn_key=(epoch, index)).generate_state(4)
        np.random.seed(words)
        random.seed(words.tobytes())
        torch.default_generator.manual_seed(int(words[0]))
        try:
            yield
        finally:
            if not in_worker:
                np.random.set_state(states[0])
                random.setstate(states[1])
                torch.set_rng_state(states[2])
