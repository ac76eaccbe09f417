"""Measures how many clips a second data loaders could hand to a GPU.

A clip costs its worker some time of a core, and the main process some. Both are measured on this
machine, with one worker; a computer with more cores has as many workers as it has cores beside the
main process, until that has no more time.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch.utils.data import DataLoader, RandomSampler

from stars_mm.datasets.benchmark import build, seconds_to
from stars_mm.models.data_preprocessors import SkeletonPreprocessor


class Feeding(NamedTuple):
    """Seconds of a core that a clip takes.

    Attributes:
        worker (float): In a worker: reading, drawing or making views, collating, sending.
        main (float): In the main process: receiving.
        views (float): In the data preprocessor, on this processor. A GPU does
            it where there is one.
    """

    worker: float
    main: float
    views: float

    def clips_per_second(self, cores: int) -> float:
        """What workers on all cores but one, and the main process on that
        one, can hand to a GPU."""
        return min((cores - 1) / self.worker, 1 / self.main)


class _Timed:
    """Collates, and notes what time of a core the worker has had so far."""

    def __init__(self, collate: Callable[[Sequence], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: Sequence) -> tuple:
        return self.collate(samples), time.process_time()


def measure_feeding(
    path: str,
    loaders: dict[str, dict],
    batch_size: int = 128,
    num_batches: int = 16,
    repeats: int = 5,
) -> dict[str, Feeding]:
    """Reads batches as training does; the loaders take turns.

    Args:
        path (str): An annotation file.
        loaders (dict): Configs of data loaders by name, of which the pipeline
            and ``collate_fn`` are used.
        batch_size (int): Clips of a batch.
        num_batches (int): Batches of a repeat, 3 or more.
        repeats (int): Medians are of so many.

    Returns:
        dict: :class:`Feeding` by name.
    """
    found: dict[str, list[Feeding]] = {name: [] for name in loaders}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(repeats):
            for name, loader in loaders.items():
                found[name].append(_feed(path, loader, batch_size, num_batches))
    finally:
        torch.set_num_threads(threads)
    return {
        name: Feeding(*map(statistics.median, zip(*several))) for name, several in found.items()
    }


def _feed(path: str, loader: dict, batch_size: int, num_batches: int) -> Feeding:
    dataset = build('SkeletonDataset', path, loader['dataset']['pipeline'])
    dataset.set_epoch(0, seed=0)
    collate = pseudo_collate
    if 'collate_fn' in loader:
        collate = FUNCTIONS.get(loader['collate_fn']['type'])
    num_clips = num_batches * batch_size
    batches = iter(
        DataLoader(
            dataset,
            batch_size,
            sampler=RandomSampler(dataset, replacement=True, num_samples=num_clips),
            num_workers=1,
            collate_fn=_Timed(collate),
            multiprocessing_context='fork',
        )
    )
    _, worker_begin = next(batches)  # what is done once is done
    begin = time.process_time()
    for batch, worker_end in batches:
        pass
    main = time.process_time() - begin
    preprocessor = SkeletonPreprocessor()
    views = seconds_to(lambda: preprocessor(batch, training=True), time.process_time)
    rest = num_clips - batch_size
    return Feeding((worker_end - worker_begin) / rest, main / rest, views / batch_size)
