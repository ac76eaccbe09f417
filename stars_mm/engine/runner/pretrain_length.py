"""Another length for the stage that pretrains."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from stars_mm.engine.runner.stages import find_stage_config

#: What a config reads the epochs of its pretraining from, whose own training depends on them.
VARIABLE = 'PRETRAIN_EPOCHS'


@contextmanager
def pretrain_epochs_in_environment(epochs: int | None) -> Iterator[None]:
    """Where ``epochs`` are given, configs that are read in here find them."""
    before = os.environ.get(VARIABLE)
    if epochs is not None:
        os.environ[VARIABLE] = str(epochs)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def set_pretrain_epochs(cfg: Config, epochs: int) -> str:
    """Let a recipe pretrain for so many epochs: its stage ``pretrain``, or the first one where none
    has that name. What the stage schedules is stretched alike; the stages after it are left alone.

    Returns:
        str: What it came to, in words.

    Raises:
        ValueError: If there are no stages, or if ``epochs`` is less than 1.
    """
    stages = cfg.get('stages') or []
    if epochs < 1:
        raise ValueError(f'--pretrain-epochs {epochs}: must be 1 or more.')
    if not stages:
        raise ValueError(
            f'--pretrain-epochs: {cfg.filename} has no stages that come before it. The length of '
            'its own training is --cfg-options train_cfg.max_epochs=N'
        )
    stage = next((stage for stage in stages if stage['name'] == 'pretrain'), stages[0])
    found = Config.fromfile(find_stage_config(stage['config'], cfg))
    found.merge_from_dict(dict(stage.get('options') or {}))
    schedule, loop = found.get('param_scheduler') or [], found.train_cfg
    schedule = schedule if isinstance(schedule, list) else [schedule]
    key, length = 'max_epochs', epochs
    if 'max_iters' in loop:
        with DefaultScope.overwrite_default_scope(found.get('default_scope', 'mmaction')):
            per_epoch = len(Runner.build_dataloader(found.train_dataloader))
        processes = int(os.environ.get('WORLD_SIZE', 1))  # of torchrun, which share an epoch
        key, length = 'max_iters', epochs * math.ceil(per_epoch / processes)
    factor = length / loop[key]
    stretched = [_stretch(part, factor) for part in schedule]
    stage['options'] = ConfigDict(stage.get('options') or {}) | {
        f'train_cfg.{key}': length,
        'param_scheduler': stretched,
    }
    own = cfg.train_cfg
    lengths = [f'stage "{stage["name"]}": {_words(key, length)} instead of {loop[key]}']
    lengths += [f'the training after it: {_words(k, own[k])}' for k in own if k[:4] == 'max_']
    return ', '.join(lengths)


def _stretch(scheduler: dict, factor: float) -> dict:
    """A schedule over ``factor`` times its length; parts of an epoch only where mmengine counts
    iterations anyway."""
    stretched = dict(scheduler)
    for key in ('begin', 'end', 'T_max', 'total_steps', 'step_size'):
        if key in stretched:
            value = stretched[key] * factor
            whole = not stretched.get('convert_to_iter_based') or value == round(value)
            stretched[key] = round(value) if whole else value
    if 'milestones' in stretched:
        stretched['milestones'] = [round(step * factor) for step in stretched['milestones']]
    return stretched


def _words(key: str, length: int) -> str:
    return f'{length} {dict(max_epochs="epochs", max_iters="iterations")[key]}'
