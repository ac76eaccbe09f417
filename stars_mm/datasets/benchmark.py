"""Measures how fast clips are opened and read, and what memory that takes.

It is compared with mmaction2's ``PoseDataset`` and its transforms, on a
made-up file with the lengths and numbers of persons of NTU RGB+D 60.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader, Dataset, Subset

from stars_mm.preparation.annotation_file import save_annotations

SPLIT = 'all'
NUM_CLASSES = 60
#: What mmaction2's configs of skeletons do to a clip, for ``clip_len`` frames.
PLAIN_PIPELINE = [
    dict(type='PreNormalize3D'),
    dict(type='UniformSampleFrames'),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs'),
]
#: Frames of NTU-60's clips: 84 on average, 32 to 300; 19 % have two persons.
_MEAN_FRAMES, _FRAMES, _PAIRS = 84, (32, 300), 0.19


def made_up_clips(num_clips: int, seed: int = 0) -> Iterator[dict]:
    """Yields annotations of 25 joints, float16, as those of NTU RGB+D 60.

    Args:
        num_clips (int): How many.
        seed (int): Of the random walk that all clips are cut from.
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.02, (2, 3 * _FRAMES[1], 25, 3))
    walk = (steps.cumsum(1) + rng.normal(0, 0.5, (2, 1, 25, 3))).astype('f2')
    for number in range(num_clips):
        frames = round(rng.gamma(5, _MEAN_FRAMES / 5))
        frames = min(max(frames, _FRAMES[0]), _FRAMES[1])
        begin = rng.integers(walk.shape[1] - frames)
        persons = 1 + int(rng.random() < _PAIRS)
        yield dict(
            frame_dir=f'clip{number:06d}',
            label=number % NUM_CLASSES,
            keypoint=walk[:persons, begin : begin + frames],
            total_frames=frames,
        )


def write_made_up(path: str, num_clips: int) -> None:
    """Writes an annotation file of :func:`made_up_clips`."""
    names = [f'clip{number:06d}' for number in range(num_clips)]
    save_annotations(path, made_up_clips(num_clips), {SPLIT: names})


def build(kind: str, path: str, pipeline: Sequence[dict]) -> Dataset:
    """Builds a data set of the class that ``kind`` names."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(
            dict(
                type=kind,
                ann_file=path,
                split=SPLIT,
                num_classes=NUM_CLASSES,
                pipeline=list(pipeline),
            )
        )


def plain_pipeline(clip_len: int) -> list[dict]:
    """mmaction2's own transforms, to clips of so many frames."""
    return [
        dict(step, clip_len=clip_len) if step['type'] == 'UniformSampleFrames' else step
        for step in PLAIN_PIPELINE
    ]


def seconds_to(act: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long a call takes by a clock."""
    begin = clock()
    act()
    return clock() - begin


def measure_opening(path: str, repeats: int = 3) -> dict[str, float]:
    """Seconds until the file is open as a data set.

    Returns:
        dict: ``first``, when the map is made, and ``again``, the median of later ones.
    """
    times = [seconds_to(lambda: build('SkeletonDataset', path, [])) for _ in range(1 + repeats)]
    return dict(first=times[0], again=statistics.median(times[1:]))


def measure_pipeline(
    datasets: dict[str, Dataset], num_clips: int = 1000, repeats: int = 5
) -> dict[str, float]:
    """Seconds of a core that a clip takes, in this process on one thread.

    What the core does for other programs does not count, and the data sets
    take turns. Clips are read in random order.

    Args:
        datasets (dict): Data sets of the same clips by name. Random draws of
            ours are tied to the epoch, as in training.
        num_clips (int): Clips a repeat.
        repeats (int): The median of so many is given.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {name: [] for name in datasets}
    rng = np.random.default_rng(0)
    try:
        for _ in range(repeats):
            size = len(next(iter(datasets.values())))
            order = rng.integers(size, size=num_clips).tolist()
            for name, dataset in datasets.items():
                if hasattr(dataset, 'set_epoch'):
                    dataset.set_epoch(0, seed=0)
                taken = seconds_to(lambda: [dataset[n] for n in order], time.process_time)
                times[name].append(taken / num_clips)
    finally:
        torch.set_num_threads(threads)
    return {name: statistics.median(found) for name, found in times.items()}


def resident_mib() -> float:
    """Resident memory of this process, NaN where the system does not say."""
    if not os.path.exists('/proc/self/statm'):
        return float('nan')
    with open('/proc/self/statm') as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


class _Resident(Dataset):
    """Gives, of each sample, what memory its process holds after it."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> float:
        self.dataset[index]
        return resident_mib()


def measure_memory(kind: str, path: str, num_clips: int) -> float:
    """MiB that a worker of a data loader holds at most while it reads.

    It is measured in a new process, which holds nothing else.

    Args:
        kind (str): The data set's class.
        path (str): The annotation file.
        num_clips (int): Clips that are read, spread over the whole file.
    """
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_worker_memory, kind, path, num_clips).result()


def _worker_memory(kind: str, path: str, num_clips: int) -> float:
    dataset = build(kind, path, [])
    order = np.linspace(0, len(dataset) - 1, num_clips).astype(int).tolist()
    loader = DataLoader(
        Subset(_Resident(dataset), order),
        batch_size=32,
        num_workers=1,
        multiprocessing_context='fork',
    )
    return max(held.max().item() for held in loader)


def measure(
    folder: str,
    pipeline: Sequence[dict],
    clip_len: int,
    num_clips: int = 40000,
    repeats: int = 5,
    progress: Callable[[str], None] = print,
) -> list[dict]:
    """Measures everything on a file of so many clips.

    Args:
        folder (str): Where the file and its map are made, 30 KB a clip.
        pipeline (Sequence[dict]): The transforms of a stage.
        clip_len (int): Frames that it makes; mmaction2's make as many.
        num_clips (int): Clips of the file.
        repeats (int): Repeats of what is timed.
        progress (callable): Is told what comes next.

    Returns:
        list[dict]: One of each ``work``: 'data' (a clip through the pipeline), 'open' and 'memory'.
    """
    path = os.path.join(folder, 'large.pkl')
    progress(f'writing {num_clips} clips')
    write_made_up(path, num_clips)
    progress('opening the file')
    opening = measure_opening(path, repeats)
    progress('reading clips')
    plain = build('PoseDataset', path, plain_pipeline(clip_len))
    ours = build('SkeletonDataset', path, pipeline)
    seconds = measure_pipeline(dict(ours=ours, plain=plain), min(num_clips, 1000), repeats)
    del ours, plain
    progress('reading clips in workers')
    tenth = os.path.join(folder, 'tenth.pkl')
    write_made_up(tenth, num_clips // 10)
    read = min(num_clips // 10, 4000)
    memory = {
        f'{kind}_{name}_mib': measure_memory(kind, file, read)
        for kind in ('SkeletonDataset', 'PoseDataset')
        for name, file in (('tenth', tenth), ('large', path))
    }
    return [
        dict(
            work='data',
            mode='parity',
            seconds=seconds['ours'],
            plain_seconds=seconds['plain'],
            ratio=seconds['plain'] / seconds['ours'],
            clips_per_second=1 / seconds['ours'],
        ),
        dict(
            work='open',
            clips=num_clips,
            mib=os.stat(path).st_size / 2**20,
            first_seconds=opening['first'],
            seconds=opening['again'],
        ),
        dict(work='memory', clips=num_clips, **memory),
    ]
