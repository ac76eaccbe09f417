"""What soak.py lets run, each until it is ended: python soak_works.py WORK FOLDER CONFIG HOURS."""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import itertools
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmaction.registry import HOOKS, RUNNERS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from stars_mm.apis import FewShotRecognizer, LiveRecognizer, SkeletonInferencer
from stars_mm.demo import make_annotations
from stars_mm.engine.runner.stages import find_stage_config
from stars_mm.preparation.annotation_file import load_annotations, save_annotations
from stars_mm.utils.package_files import find_config

#: The recipe is trained so often in all of the time, and half of each time is stage 1's.
ROUNDS = 32
FOR_EVER = 10**6  # epochs


@HOOKS.register_module()
class StopAfter(Hook):
    """Ends a training with the first epoch that ends so many seconds after the training began."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def before_train(self, runner: Runner) -> None:
        self.end = time.monotonic() + self.seconds

    def after_train_epoch(self, runner: Runner) -> None:
        runner.train_loop.stop_training = time.monotonic() > self.end


def options(annotations: Path, seconds: float) -> dict:
    """What is other than in the recipe: data, workers, checkpoints and the end."""
    found: dict = {
        'default_hooks.stop': dict(type='StopAfter', seconds=seconds),
        'default_hooks.checkpoint.interval': 1,
        'train_cfg.max_epochs': FOR_EVER,
        'train_cfg.val_interval': 4,
    }
    evaluation = [
        f'{mode}_{name}'
        for mode in ('val', 'test')
        for name in ('dataloader', 'cfg.bank_dataloader')
    ]
    for loader in ('train_dataloader', *evaluation):
        workers = dict(num_workers=2, persistent_workers=loader == 'train_dataloader')
        found.update({f'{loader}.{key}': value for key, value in workers.items()})
        found[f'{loader}.dataset.ann_file'] = str(annotations)
    return found


def train(config: str | Path, folder: Path, seconds: float, annotations: Path) -> None:
    """A training, so many seconds a stage, from its config to its last checkpoint."""
    cfg = Config.fromfile(find_config(str(config)))
    cfg.merge_from_dict(options(annotations, seconds))
    for stage in cfg.get('stages') or []:
        stage.options = options(annotations, seconds)
    for hook in cfg.get('custom_hooks') or []:
        if 'dataloader' in hook:
            hook.dataloader.dataset.ann_file = str(annotations)
    cfg.work_dir = str(folder)
    RUNNERS.build(cfg).train()


def first_stage(config: str) -> str:
    cfg = Config.fromfile(find_config(config))
    return find_stage_config(cfg.stages[0].config, cfg)


def use(folder: Path, annotations: Path) -> Iterator[str]:
    """Learns, recognizes and follows a stream, once a turn."""
    split = sorted(load_annotations(str(annotations))[1])[0]
    for seed in itertools.count():
        encode = SkeletonInferencer(device='cpu')
        recognizer = FewShotRecognizer(encode).learn(str(annotations), 2, seed, split=split)
        recognizer.save(folder / 'actions.npz')
        recognizer = FewShotRecognizer.load(folder / 'actions.npz')
        clips = list(encode.read(str(annotations), split=split))[seed % 7 :: 7]
        recognizer(clips)
        stream = np.concatenate([clip.keypoint[0] for clip in clips])  # (T, V, C)
        recognizer.segments(stream[None, :300], layout=clips[0].layout)
        live = LiveRecognizer(recognizer, layout=clips[0].layout)
        for frame in stream[:600]:
            live.push(frame)
        yield f'{len(clips)} clips'


def main(work: str, folder: str, config: str, hours: str, given: str | None = None) -> None:
    place, seconds = Path(folder), float(hours) * 3600
    annotations = Path(given or place / 'demo.pkl')
    if given is None:
        data = make_annotations(24, 6)
        clips, splits = data.pop('annotations'), data.pop('split')
        save_annotations(str(annotations), clips, splits, layout='ntu-25', **data)
    if work == 'pretrain':
        train(first_stage(config), place / work, 2 * seconds, annotations)
    elif work == 'recipe':
        for number in itertools.count():
            train(config, place / f'{number}', seconds / ROUNDS / 2, annotations)
            shutil.rmtree(place / f'{number}')
    else:
        for turn in use(place, annotations):
            print(turn, flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
