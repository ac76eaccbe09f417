"""What makes a training the same one when it is resumed."""

import hashlib
import json
import logging
import os
import os.path as osp
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from stars_mm.utils.checkpoint import read_checkpoint
from stars_mm.utils.checkpoint_sources import local_file
from stars_mm.utils.input_error import InputError
from stars_mm.utils.weights_file import file_sha256

#: Keys of a config that may differ: they say how a loop is watched and fed, and how long it is.
_LOADING = (
    'batch_size',  # recorded for all ranks together
    'num_workers',
    'persistent_workers',
    'prefetch_factor',
    'pin_memory',
    'timeout',
    'multiprocessing_context',
)
_LENGTH = ('max_epochs', 'max_iters', 'val_begin', 'val_interval', 'dynamic_intervals')
_TRAINING_HOOKS = ('EMAHook', 'PerTensorGradClipHook', 'SimilarityTargetHook')
_FILES = ('ann_file', 'subset')
#: With what a run began that was resumed from a checkpoint which does not say.
UNKNOWN = 'unknown'
_BLOCK = 1 << 16
_BLOCKS = 64  # of a file are read
_SHOWN = 3  # differences that an error names


def run_record(cfg: Config, world_size: int) -> dict[str, Any]:
    """What defines a training: seed, model, clips and their pipeline, optimizer and schedule, batch
    of all ranks. Of the data it holds the contents, so files may be moved. Plain data, as a
    checkpoint's ``meta`` may hold them."""
    loader, loop = dict(cfg.train_dataloader), dict(cfg.train_cfg)
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook['type'] in _TRAINING_HOOKS]
    randomness, scaling = cfg.get('randomness') or {}, cfg.get('auto_scale_lr') or {}
    record = dict(
        seed=randomness.get('seed'),
        diff_rank_seed=bool(randomness.get('diff_rank_seed')),
        model=cfg.model,
        data_preprocessor=cfg.get('data_preprocessor'),
        batch_size_of_all_ranks=loader.get('batch_size', 0) * world_size,
        train_dataloader={
            key: _with_contents(loader[key]) for key in loader if key not in _LOADING
        },
        train_cfg={key: loop[key] for key in loop if key not in _LENGTH},
        length=loop.get('max_epochs', loop.get('max_iters')),
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.get('param_scheduler'),
        auto_scale_lr=scaling if scaling.get('enable') else None,
        hooks=[{key: hook[key] for key in hook if key != 'dataloader'} for hook in hooks],
    )
    return json.loads(json.dumps(record, default=str))


def check_same_run(cfg: Config, checkpoint: str, world_size: int, is_over: bool = False) -> None:
    """Check that a checkpoint is of the training that a config describes.

    Another length is allowed, and with it another schedule, of which the checkpoint's is kept, but
    not where it is over: what comes after it has begun. A checkpoint that says nothing of its run
    passes with a warning.

    Raises:
        ValueError: If it is of another one; names the keys that differ, with both values.
    """
    there = _record_in(checkpoint)
    if there is None:
        _warn(
            f'{checkpoint}: does not say of which run it is, as those of earlier versions do not. '
            'It is taken for one of this config, seed and data.'
        )
        return
    there.pop('start', None)  # see check_same_start
    here = run_record(cfg, world_size)
    if not is_over and there.pop('length', None) != here.pop('length'):
        if there.pop('param_scheduler', None) != here.pop('param_scheduler'):
            _warn(f'{checkpoint}: its schedule goes on, not that of this config.')
    before, now = dict(_flat(there)), dict(_flat(here))
    differing = [
        f'{key}: {_told(before, key)} there, {_told(now, key)} here'
        for key in {**before, **now}
        if _told(before, key) != _told(now, key)
    ]
    if differing:
        more = len(differing) - _SHOWN
        raise ValueError(
            f'{checkpoint}: is of another run than {cfg.filename}, so nothing is resumed from it: '
            f'{"; ".join(differing[:_SHOWN])}{f"; and {more} more" if more > 0 else ""}. Set them '
            'as they were, or train in another --work-dir; its weights alone are loaded by '
            f'--cfg-options load_from={checkpoint} without --resume.'
        )


def start_of(load_from: str) -> dict[str, str]:
    """What tells the weights that a training begins with from others, wherever they lie."""
    return dict(file=str(load_from), sha256=file_sha256(local_file(load_from)))


def check_same_start(checkpoint: str, load_from: str) -> None:
    """Check that a checkpoint is of a training that began with certain weights. One that does not
    say passes, and so do weights that are gone.

    Raises:
        ValueError: If it began with others; names both.
    """
    start = (_record_in(checkpoint) or {}).get('start', UNKNOWN)
    if start == UNKNOWN or '://' not in load_from and not osp.isfile(load_from):
        return
    before = start if isinstance(start, dict) else {}
    if before.get('sha256') != start_of(load_from)['sha256']:
        raise ValueError(
            f'{checkpoint}: is of a run that began with {before.get("file", "no checkpoint")}, not '
            f'with {load_from}, so nothing is resumed from it. Give load_from as it was, or train '
            'in another --work-dir.'
        )


def _record_in(checkpoint: str) -> dict[str, Any] | None:
    record = read_checkpoint(checkpoint)['meta'].get('run')
    if not isinstance(record, dict | None):
        raise InputError(checkpoint, f'its meta has {record!r:.80} as the record of its run')
    return record


def _warn(text: str) -> None:
    print_log(text, 'current', logging.WARNING)


def _with_contents(node: Any) -> Any:
    """The config of a data set with what its files hold in place of where they are."""
    if isinstance(node, dict):
        found = {key: _with_contents(value) for key, value in node.items() if key != 'data_root'}
        for key in _FILES:
            path = osp.join(node.get('data_root') or '', str(node.get(key) or ''))
            if osp.isfile(path):
                found[key] = _digest(path)
        return found
    if isinstance(node, (list, tuple)):
        return [_with_contents(value) for value in node]
    return node


def _digest(path: str) -> str:
    """Tells a file from another one by its size and by what lies all over it."""
    size = os.path.getsize(path)
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for start in range(0, size, max(_BLOCK, size // _BLOCKS)):
            file.seek(start)
            digest.update(file.read(_BLOCK))
    return f'{size} bytes {digest.hexdigest()[:16]}'


def _flat(node: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(node, (dict, list)) and node:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _flat(value, f'{name}.{key}' if name else str(key))
    else:
        yield name, node


def _told(flat: dict[str, Any], key: str) -> str:
    return json.dumps(flat[key], ensure_ascii=False) if key in flat else 'nothing'
