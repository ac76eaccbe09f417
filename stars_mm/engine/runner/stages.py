"""Configs of the stages that come before a config's own training."""

import copy
import os
import os.path as osp
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log

from stars_mm.engine.runner.config_check import check_options
from stars_mm.utils.package_files import package_path, python_config

MISSING = object()

#: What a stage takes over from the whole run, where the user asked for it there. Keys in a row go
#: together; a row whose first key is in the stage's own ``options`` is not taken over.
INHERITED = (
    ('randomness.seed',),
    ('randomness.diff_rank_seed',),
    ('randomness.deterministic',),
    ('resume',),
    ('compile',),
    ('optim_wrapper.type', 'optim_wrapper.loss_scale', 'optim_wrapper.dtype'),  # mixed precision
    ('auto_scale_lr.enable',),
    ('val_cfg', 'val_dataloader', 'val_evaluator'),  # no validation
)


def check_stages(stages: list[dict], cfg: Config) -> None:
    """Check the ``stages`` of a config before anything is trained.

    Raises:
        ValueError: If a stage lacks a key, has an unknown one, or shares its name with another.
        FileNotFoundError: If a stage's config does not exist.
    """
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise ValueError(
            f'{cfg.filename}: stages = {stages!r} must be a list of dict(name=…, config=…).'
        )
    names: set[str] = set()
    for number, stage in enumerate(stages):
        where = f'stages[{number}] of {cfg.filename}'
        if {*stage, 'options'} != {'name', 'config', 'options'}:
            raise ValueError(
                f'{where} must have "name" and "config", and may have "options"; it has '
                f'{sorted(stage)}.'
            )
        folder = osp.normpath(stage['name']) if isinstance(stage['name'], str) else '.'
        if osp.isabs(folder) or folder.split(os.sep)[0] in ('.', '..'):
            raise ValueError(
                f'{where} has the name {stage["name"]!r}, which must be that of a folder in the '
                'work directory.'
            )
        if stage['name'] in names:
            raise ValueError(
                f'{where} has the name "{stage["name"]}" of an earlier stage; each needs its own '
                'folder.'
            )
        names.add(stage['name'])
        _check_no_cycle(find_stage_config(stage['config'], cfg), [])


def _check_no_cycle(path: str, above: list[str]) -> None:
    """Raise a ValueError where the stages of a config lead back to it."""
    if path in above:
        raise ValueError(f'{path}: its `stages` lead back to itself. Name another config there.')
    cfg = Config.fromfile(path)
    for stage in cfg.get('stages') or []:
        _check_no_cycle(find_stage_config(stage['config'], cfg), [*above, path])


def find_stage_config(path: str, cfg: Config) -> str:
    """Absolute path of a stage's config, whose ``path`` may be relative to the config that names
    it, to the package's configs, or to the current folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    folders = [
        osp.dirname(osp.abspath(cfg.filename)) if cfg.filename else '.',
        str(package_path('configs')),
        '.',
    ]
    for folder in folders:
        candidate = osp.abspath(osp.join(folder, path))
        if osp.isfile(candidate):
            return python_config(candidate)
    raise FileNotFoundError(
        f'{cfg.filename} names the stage config "{path}", which does not exist in any of '
        f'{folders}. Correct `config` in `stages`.'
    )


def build_stage_cfg(cfg: Config, stage: dict, work_dir: str) -> Config:
    """Read the config of a stage of ``cfg``, to be trained in ``work_dir/<name>``, and hand on what
    the user asked of the whole run (:data:`INHERITED`); the stage's own ``options`` have the last
    word.

    Raises:
        KeyError: If learning rates are to be scaled and the stage does not say for which batch its
            own is.
    """
    stage_cfg = Config.fromfile(find_stage_config(stage['config'], cfg))
    check_options(stage.get('options') or {}, stage_cfg)
    own = Config()
    for config in (own, stage_cfg):  # merging uses up a `_delete_`
        config.merge_from_dict(copy.deepcopy(dict(stage.get('options') or {})))
    for keys in INHERITED:
        if not _is_asked(cfg, keys[0]) or _find(own, keys[0]) is not MISSING:
            continue
        for key in keys:
            value = _find(cfg, key)
            if value is MISSING and keys[0] != 'val_cfg':
                continue
            *parent, name = key.split('.')
            node = stage_cfg.setdefault(*parent, ConfigDict()) if parent else stage_cfg
            node[name] = None if value is MISSING else copy.deepcopy(value)
    scaling = stage_cfg.get('auto_scale_lr') or {}
    if scaling.get('enable') and 'base_batch_size' not in scaling:
        raise KeyError(
            f'{stage_cfg.filename} has no auto_scale_lr.base_batch_size, so --auto-scale-lr does '
            'not know for which batch its learning rate is: add '
            'auto_scale_lr=dict(base_batch_size=…).'
        )
    stage_cfg.work_dir = osp.join(work_dir, stage['name'])
    # mmengine's global instances go by it: no two runs may share one
    stem = osp.splitext(osp.basename(stage_cfg.filename))[0]
    stage_cfg.experiment_name = f'{stem}_{stage["name"]}'
    stage_cfg.launcher = cfg.get('launcher', 'none')
    return stage_cfg


def without_mixed_precision(optim_wrapper: dict) -> dict:
    """The config of an optimizer wrapper, for single precision."""
    if optim_wrapper.get('type') != 'AmpOptimWrapper':
        return optim_wrapper
    message = 'Mixed precision is for GPUs: on the CPU the training is in single precision.'
    print_log(message, 'current')
    kept = {k: v for k, v in optim_wrapper.items() if k not in ('dtype', 'loss_scale')}
    return dict(kept, type='OptimWrapper')


def _find(cfg: Config, key: str) -> Any:
    """What a config holds under a dotted key."""
    for part in key.split('.'):
        if part not in (cfg or {}):
            return MISSING
        cfg = cfg[part]
    return cfg


def _is_asked(cfg: Config, key: str) -> bool:
    """Whether a config asks its stages to follow it in this."""
    value = _find(cfg, key)
    if key == 'optim_wrapper.type':
        return value == 'AmpOptimWrapper'
    if key == 'auto_scale_lr.enable':
        return value is True
    return (value in (None, MISSING)) == (key == 'val_cfg')
