"""A resumed training goes on with an optimizer and schedules of the form that it began with.

torch and mmengine take over what a checkpoint holds of them as it is, and fail at the next step, or
later, in other words.
"""

from typing import Any

from mmengine.runner import Runner
from torch import Tensor

#: What optimizers remember of each weight, of its shape.
_MOMENTS = ('exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer')


def settings(runner: Runner) -> dict[str, Any]:
    """What optimizer and schedules are set to, without the weights that they are for."""
    groups = runner.optim_wrapper.optimizer.param_groups
    found = [{key: value for key, value in group.items() if key != 'params'} for group in groups]
    schedules = [schedule.state_dict() for schedule in runner.param_schedulers or []]
    return dict(optimizer=found, param_schedulers=schedules)


def check_resumed(runner: Runner, before: dict[str, Any]) -> None:
    """Check what a checkpoint made of optimizer and schedules.

    Args:
        runner (Runner): Has resumed.
        before (dict): Its :func:`settings` before.

    Raises:
        ValueError: If a setting is of another kind, or a moment of another shape than its weight.
    """
    _compare(before, settings(runner), '')
    for schedule, known in zip(runner.param_schedulers or [], before['param_schedulers']):
        new = schedule.state_dict().keys() - known.keys()
        if any(hasattr(type(schedule), name) for name in new):  # in place of its methods
            raise ValueError(f'its param_schedulers have {sorted(new)}')
    for weight, state in runner.optim_wrapper.optimizer.state.items():
        for name in _MOMENTS:
            moment = state.get(name)
            if moment is not None and getattr(moment, 'shape', None) != weight.shape:
                shape = tuple(weight.shape)
                raise ValueError(f'its optimizer has no {name} of shape {shape} for a weight')


def _compare(own: Any, other: Any, name: str) -> None:
    if isinstance(own, dict):
        fits = isinstance(other, dict) and own.keys() <= other.keys()
        parts = [(own[key], other[key], f'{name} {key}') for key in own] if fits else []
    elif isinstance(own, (list, tuple)):
        fits = isinstance(other, (list, tuple)) and len(own) == len(other)
        parts = [(*pair, name) for pair in zip(own, other)] if fits else []
    else:
        fits, parts = own is None or other is None or _kind(own) is _kind(other), []
    if not fits:
        raise ValueError(f'its{name} is not what this config has: {other!r:.80}')
    for part in parts:
        _compare(*part)


def _kind(value: Any) -> type:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float
    return float if isinstance(value, (int, float)) else type(value)
