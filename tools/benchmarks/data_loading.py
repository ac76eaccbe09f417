"""Measures how clips are opened and read, beside mmaction2's PoseDataset.

    python tools/benchmarks/data_loading.py

makes an annotation file like NTU RGB+D 60's in a temporary folder and says how long it takes to
open it for the first time and again, what time of a core a clip takes through the pipeline of stage
1, what memory a worker of a data loader holds, for the whole file and for one of a tenth of its
clips, and how many clips a second data loaders could hand to a GPU: that of stage 1, the same with
its transforms one by one, and that of encoding.
"""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS, DefaultScope
from timing import alternate, seconds_of
from torch.utils.data import DataLoader, Dataset, RandomSampler, Subset

from stars_mm.models.data_preprocessors import SkeletonPreprocessor
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.utils.atomic import write_text

CONFIG = 'configs/mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py'
SPLIT, NUM_CLASSES = 'all', 60
#: Frames of NTU-60's clips: 84 on average, 32 to 300; 19 % have two persons.
MEAN_FRAMES, FRAMES, PAIRS = 84, (32, 300), 0.19


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--config', default=CONFIG, help='whose data loaders are measured (default: %(default)s)')
    numbers = dict(
        cores=(2, 16, 'cores of the computer with the GPU'),
        clips=(100, 40000, 'clips of the file'),
        repeats=(1, 5, 'medians are of so many'),
    )
    for name, (least, default, text) in numbers.items():
        add(f'--{name}', type=int, default=default, help=f'{text}, {least} or more (%(default)s)')
    add('--folder', help='where the temporary files are made, 30 KB a clip')
    add('--json', type=Path, help='file for the results')
    args = parser.parse_args(argv)
    for name, (least, _, _) in numbers.items():
        if getattr(args, name) < least:
            parser.error(f'--{name} {getattr(args, name)} must be {least} or more')
    return args


def generate_clips(num_clips: int, seed: int = 0) -> Iterator[dict]:
    """Yields annotations of 25 joints, float16, as those of NTU RGB+D 60, cut from one random
    walk."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.02, (2, 3 * FRAMES[1], 25, 3))
    walk = (steps.cumsum(1) + rng.normal(0, 0.5, (2, 1, 25, 3))).astype('f2')
    for number in range(num_clips):
        frames = min(max(round(rng.gamma(5, MEAN_FRAMES / 5)), FRAMES[0]), FRAMES[1])
        begin = rng.integers(walk.shape[1] - frames)
        persons = 1 + int(rng.random() < PAIRS)
        yield dict(
            frame_dir=f'clip{number:06d}',
            label=number % NUM_CLASSES,
            keypoint=walk[:persons, begin : begin + frames],
            total_frames=frames,
        )


def write_clips(path: str, num_clips: int) -> str:
    """Writes an annotation file of :func:`generate_clips`; gives its path."""
    names = [f'clip{number:06d}' for number in range(num_clips)]
    save_annotations(path, generate_clips(num_clips), {SPLIT: names})
    return path


def build(kind: str, path: str, pipeline: Sequence[dict]) -> Dataset:
    """Builds a data set of the class that ``kind`` names."""
    cfg = dict(type=kind, ann_file=path, split=SPLIT, pipeline=list(pipeline))
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(cfg, num_classes=NUM_CLASSES))


def mmaction2_pipeline(clip_len: int) -> list[dict]:
    """What mmaction2's configs of skeletons do to a clip."""
    return [
        dict(type='PreNormalize3D'),
        dict(type='UniformSampleFrames', clip_len=clip_len),
        dict(type='PoseDecode'),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs'),
    ]


def one_by_one(pipeline: Sequence[dict]) -> list[dict]:
    """A pipeline whose workers make the views that ``PackViews`` leaves to the model."""
    *before, last = pipeline
    if last['type'] != 'PackViews':
        return list(pipeline)
    end = [
        dict(type='FormatGCNInput', num_person=last['num_person'], mode=last.get('mode', 'zero')),
        dict(type='PackActionInputs', meta_keys=last['meta_keys']),
    ]
    return [*before, *last['transforms'], *end]


def measure_pipelines(
    datasets: dict[str, Dataset], num_clips: int, repeats: int
) -> dict[str, float]:
    """Seconds of a core that a clip takes, in this process on one thread and in random order, by
    data sets that take turns; what the core does for other programs does not count."""
    order = np.random.default_rng(0).integers(len(datasets['ours']), size=num_clips).tolist()
    datasets['ours'].set_epoch(0, seed=0)  # random draws are tied to it, as in training

    def read(dataset: Dataset) -> None:
        for n in order:
            dataset[n]

    times = alternate({name: partial(read, own) for name, own in datasets.items()}, repeats)
    return {
        name: statistics.median(time.processor for time in found) / num_clips
        for name, found in times.items()
    }


def resident_mib(_: object) -> float:
    """What memory this process holds; NaN where nobody says."""
    status = Path('/proc/self/statm')
    if not status.exists():
        return float('nan')
    return int(status.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20


def worker_memory(kind: str, path: str, num_clips: int) -> float:
    """MiB that a worker of a data loader holds at most while it reads clips spread over the
    file."""
    dataset = build(kind, path, [])
    order = np.linspace(0, len(dataset) - 1, num_clips).astype(int).tolist()
    return max(
        DataLoader(
            Subset(dataset, order),
            num_workers=1,
            collate_fn=resident_mib,
            multiprocessing_context='fork',
        )
    )


def measure_memory(kind: str, path: str, num_clips: int) -> float:
    """The same, measured in a new process, which holds nothing else."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(worker_memory, kind, path, num_clips).result()


def feed(path: str, loader: dict, batch_size: int, num_batches: int = 16) -> tuple:
    """Reads batches as training does, by the pipeline and ``collate_fn`` of a data loader's config.

    Returns:
        tuple[float, float, float]: Seconds of a core that a clip takes: in a worker (reading,
        drawing or making views, collating, sending), in the main process (receiving), and in the
        data preprocessor on this processor, which a GPU does where there is one.
    """
    dataset = build('SkeletonDataset', path, loader['dataset']['pipeline'])
    dataset.set_epoch(0, seed=0)
    named = loader.get('collate_fn')
    collate = FUNCTIONS.get(named['type']) if named else pseudo_collate
    num_clips = num_batches * batch_size
    batches = iter(
        DataLoader(
            dataset,
            batch_size,
            sampler=RandomSampler(dataset, replacement=True, num_samples=num_clips),
            num_workers=1,
            # and what time of a core the worker has had so far
            collate_fn=lambda samples: (collate(samples), time.process_time()),
            multiprocessing_context='fork',
        )
    )
    _, worker_begin = next(batches)  # what is done once is done
    begin = time.process_time()
    for batch, worker_end in batches:  # noqa: B007  the last ones are looked at
        pass
    main = time.process_time() - begin
    preprocessor = SkeletonPreprocessor()
    views = seconds_of(lambda: preprocessor(batch, training=True)).processor
    rest = num_clips - batch_size
    return (worker_end - worker_begin) / rest, main / rest, views / batch_size


def measure_feeding(
    path: str, loaders: dict[str, dict], batch_size: int, repeats: int, cores: int
) -> list[dict]:
    """A row for each data loader; they take turns. ``clips_per_second`` is what workers on all
    cores but one, and the main process on that one, can hand to a GPU."""
    turns = [
        {name: feed(path, loader, batch_size) for name, loader in loaders.items()}
        for _ in range(repeats)
    ]
    rows = []
    for name in loaders:
        worker, main, views = map(statistics.median, zip(*(turn[name] for turn in turns)))
        speed = min((cores - 1) / worker, 1 / main)
        seconds = dict(worker_seconds=worker, main_seconds=main, views_seconds=views)
        rows.append(dict(work='feed', mode=name, cores=cores, **seconds, clips_per_second=speed))
    return rows


def measure(folder: str, args: argparse.Namespace) -> list[dict]:
    """Measures everything: a row of each ``work``, 'data' (a clip through the pipeline), 'open' and
    'memory', and 'feed' for each data loader."""
    cfg = Config.fromfile(args.config)
    stage1 = cfg.train_dataloader
    pipeline = one_by_one(stage1.dataset.pipeline)
    clip_len = next(step['clip_len'] for step in pipeline if 'clip_len' in step)
    print('writing clips')
    path = write_clips(os.path.join(folder, 'large.pkl'), args.clips)
    tenth = write_clips(os.path.join(folder, 'tenth.pkl'), args.clips // 10)
    print('opening the file')
    first, *again = (
        seconds_of(lambda: build('SkeletonDataset', path, [])).clock
        for _ in range(1 + args.repeats)
    )
    print('reading clips')
    datasets = dict(
        ours=build('SkeletonDataset', path, pipeline),
        plain=build('PoseDataset', path, mmaction2_pipeline(clip_len)),
    )
    seconds = measure_pipelines(datasets, min(args.clips, 1000), args.repeats)
    ours, plain = seconds['ours'], seconds['plain']
    data = dict(seconds=ours, plain_seconds=plain, ratio=plain / ours, clips_per_second=1 / ours)
    del datasets
    print('reading clips in workers')
    read = min(args.clips // 10, 4000)
    memory = {
        f'{kind}_{name}_mib': measure_memory(kind, file, read)
        for kind in ('SkeletonDataset', 'PoseDataset')
        for name, file in (('tenth', tenth), ('large', path))
    }
    print('reading batches')
    alone = dict(dataset=dict(pipeline=pipeline))
    loaders = dict(stage1=stage1, one_by_one=alone, encode=cfg.val_dataloader)
    size, opened = os.stat(path).st_size / 2**20, statistics.median(again)
    return [
        dict(work='data', **data),
        dict(work='open', clips=args.clips, mib=size, first_seconds=first, seconds=opened),
        dict(work='memory', clips=args.clips, **memory),
        *measure_feeding(path, loaders, min(128, args.clips // 4), args.repeats, args.cores),
    ]


def describe(row: dict) -> str:
    """A row as text: what it is of, then its numbers."""
    cells = [f'{key} {value:.4g}' for key, value in row.items() if not isinstance(value, str)]
    return f'{row["work"]} {row.get("mode", "")}: {", ".join(cells)}'


def main(argv=None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(1)
    if args.folder:
        os.makedirs(args.folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        results = measure(folder, args)
    print('\n'.join(map(describe, results)))
    if args.json:
        write_text(args.json, json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    main()
