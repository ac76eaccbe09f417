"""Measures how clips are opened and read, beside mmaction2's PoseDataset.

    python tools/analysis/benchmark_data.py

makes an annotation file like NTU RGB+D 60's in a temporary folder and says how long it takes to
open it for the first time and again, what time of a core a clip takes through the pipeline of stage
1, what memory a worker of a data loader holds, for the whole file and for one of a tenth of its
clips, and how many clips a second the data loaders of stage 1, of its fast recipe, and of encoding
in the fast recipe could hand to a GPU.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from mmengine.config import Config

import stars_mm  # noqa: F401  registers the parts
from stars_mm.datasets.benchmark import measure, write_made_up
from stars_mm.datasets.feeding import measure_feeding
from stars_mm.utils.atomic import written_whole

CONFIG = 'configs/mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py'
FAST = CONFIG
ENCODE = 'configs/stars_ntu60.py'


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--config', default=CONFIG, help='whose train_pipeline is measured (default: %(default)s)'
    )
    parser.add_argument(
        '--fast-config',
        default=FAST,
        help='whose data loader is compared with it (default: %(default)s)',
    )
    parser.add_argument(
        '--encode-config',
        default=ENCODE,
        help='whose val_dataloader is measured, too (default: %(default)s)',
    )
    parser.add_argument(
        '--cores',
        type=int,
        default=16,
        help='cores of the computer with the GPU (default: %(default)s)',
    )
    parser.add_argument(
        '--clips', type=int, default=40000, help='clips of the file (default: %(default)s)'
    )
    parser.add_argument(
        '--repeats', type=int, default=5, help='medians are of so many (default: %(default)s)'
    )
    parser.add_argument('--folder', help='where the temporary files are made, 30 KB a clip')
    parser.add_argument('--json', type=Path, help='file for the results')
    args = parser.parse_args(argv)
    for key, least in (('clips', 100), ('repeats', 1), ('cores', 2)):
        if getattr(args, key) < least:
            parser.error(f'--{key} {getattr(args, key)} must be {least} or more')
    return args


def describe(results: list) -> str:
    """The results as text."""
    data, opening, memory, *feeding = results
    lines = [
        f'open {opening["clips"]} clips, {opening["mib"]:.0f} MiB: '
        f'{opening["first_seconds"]:.1f} s the first time, '
        f'{opening["seconds"]:.2f} s again',
        f'a clip through the pipeline: {1e6 * data["seconds"]:.0f} us, '
        f"{data['clips_per_second']:.0f} clips a second and core; mmaction2's "
        f'{1e6 * data["plain_seconds"]:.0f} us, {data["ratio"]:.1f} times as '
        'long',
    ]
    for kind in ('SkeletonDataset', 'PoseDataset'):
        lines.append(
            f'memory of a worker, {kind}: '
            f'{memory[f"{kind}_tenth_mib"]:.0f} MiB with '
            f'{memory["clips"] // 10} clips, '
            f'{memory[f"{kind}_large_mib"]:.0f} MiB with {memory["clips"]}'
        )
    for feed in feeding:
        lines.append(
            f'{feed["mode"]} data loader: a worker takes '
            f'{1e6 * feed["worker_seconds"]:.0f} us a clip, the main process '
            f'{1e6 * feed["main_seconds"]:.0f} us; the data preprocessor, on '
            f'this processor, {1e6 * feed["views_seconds"]:.0f} us; '
            f'{feed["cores"]} cores could feed '
            f'{feed["clips_per_second"]:.0f} clips a second'
        )
    return '\n'.join(lines)


def feeding(folder: str, args: argparse.Namespace) -> list:
    """How fast the data loaders of both configs could feed a GPU."""
    path = os.path.join(folder, 'feeding.pkl')
    clips = min(args.clips, 4000)
    write_made_up(path, clips)
    loaders = dict(
        parity=Config.fromfile(args.config).train_dataloader,
        fast=Config.fromfile(args.fast_config).train_dataloader,
        encode=Config.fromfile(args.encode_config).val_dataloader,
    )
    found = measure_feeding(path, loaders, min(128, clips // 4), repeats=args.repeats)
    return [
        dict(
            work='feed',
            mode=mode,
            cores=args.cores,
            worker_seconds=feed.worker,
            main_seconds=feed.main,
            views_seconds=feed.views,
            clips_per_second=feed.clips_per_second(args.cores),
        )
        for mode, feed in found.items()
    ]


def main(argv=None) -> None:
    args = parse_args(argv)
    cfg = Config.fromfile(args.config)
    clip_len = next(step['clip_len'] for step in cfg.train_pipeline if 'clip_len' in step)
    if args.folder:
        os.makedirs(args.folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        results = measure(folder, cfg.train_pipeline, clip_len, args.clips, args.repeats)
        print('reading batches')
        results += feeding(folder, args)
    print(describe(results))
    if args.json:
        with written_whole(args.json) as partial:
            partial.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    main()
