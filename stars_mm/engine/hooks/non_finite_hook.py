import math
import os.path as osp
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.optim import Optimizer

from stars_mm.utils.weights_file import write_weights

#: Below this scale of the loss, mixed precision has found no gradient finite; as in fairseq.
_MIN_LOSS_SCALE = 1e-4
_NAMED = 8  # clips and parameters that a message names


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Ends a training whose loss or gradients are no numbers (NaN, infinite) before they reach the
    weights, or leaves such batches out.

    Looked at are the loss of every iteration and, after clipping, the gradients of every step,
    together: one synchronization with a GPU, and one number that the ranks exchange, so that they
    end or go on together. Infinite gradients of mixed precision are its scaler's, which leaves them
    out and lowers its scale; here only a scale that has become nothing is a fault. No checkpoint
    is written of weights, buffers or an optimizer that are no numbers.

    Args:
        max_skips (int): So many batches in a row are left out, each with a warning: weights,
            optimizer, running means and queues stay as before. 0 ends the training at once. Above
            0, the model's buffers are copied before each iteration.
    """

    def __init__(self, max_skips: int = 0) -> None:
        if max_skips < 0:
            raise ValueError(f'max_skips={max_skips} must not be negative.')
        self.max_skips = max_skips
        self.skipped = 0  #: batches that were left out in all
        self._in_a_row = 0

    def before_train(self, runner: Runner) -> None:
        """Stand between the loss and the optimizer."""
        wrapper = runner.optim_wrapper
        self._update = wrapper.update_params
        wrapper.update_params = partial(self._update_checked, runner)
        before_step = partial(self._before_step, runner)
        self._handle = wrapper.optimizer.register_step_pre_hook(before_step)

    def after_train(self, runner: Runner) -> None:
        """Stand aside again."""
        self._handle.remove()
        del runner.optim_wrapper.update_params

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch, and what its way through the model changes."""
        self._batch = data_batch
        if self.max_skips:
            self._buffers = [buffer.clone() for buffer in runner.model.buffers()]

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Raise a FloatingPointError where weights, buffers or what the optimizer remembers are no
        numbers. A gradient beyond 1e19 has an infinite square, after which Adam never moves its
        weight again."""
        state = dict(checkpoint['state_dict'])
        state |= _tensors(checkpoint.get('optimizer'), 'optimizer')
        bad = [name for name, value in state.items() if not torch.as_tensor(value).isfinite().all()]
        if bad:
            raise FloatingPointError(
                f'After iteration {runner.iter + 1} these are not finite: {_some(bad)}. No '
                f'checkpoint is written of them; the last one is in {runner.work_dir}.'
            )

    def _update_checked(self, runner: Runner, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Update the parameters, and look at the loss where that took no step."""
        self._loss, self._is_checked = loss.detach(), False
        self._update(loss, *args, **kwargs)
        if self._is_checked:
            return
        # gradients are being gathered, or mixed precision has left the step out
        wrapper = runner.optim_wrapper
        scaler = getattr(wrapper, 'loss_scaler', None)
        self._check(runner, _grads(wrapper.optimizer) if scaler is None else [])
        if scaler is not None and wrapper.should_update() and scaler.get_scale() < _MIN_LOSS_SCALE:
            self._end(runner, f'the loss scale of mixed precision fell to {scaler.get_scale():.1g}')

    def _before_step(self, runner: Runner, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        # a fused optimizer has them still scaled, and leaves infinite ones out itself
        self._check(runner, [] if hasattr(optimizer, 'found_inf') else _grads(optimizer))
        self._is_checked = True

    def _check(self, runner: Runner, grads: list[Tensor]) -> None:
        """End the training or drop the gradients, unless loss and gradients are finite on all
        ranks."""
        greatest = torch._foreach_norm(grads, ord=math.inf) if grads else []
        finite = torch.stack([self._loss.float(), *greatest]).isfinite().all().to(torch.uint8)
        if get_world_size() > 1:
            all_reduce(finite, 'min')
        if finite:
            self._in_a_row = 0
            return
        if self._in_a_row >= self.max_skips:
            self._end(runner, _fault(self._loss, runner.model))
        self._in_a_row += 1
        self.skipped += 1
        told = self._tell(runner, _fault(self._loss, runner.model), _clips(self._batch))
        runner.logger.warning(
            f'{told} The batch is left out, {self._in_a_row} in a row (at most {self.max_skips}), '
            f'{self.skipped} in all.'
        )
        runner.optim_wrapper.zero_grad(set_to_none=True)  # a step without gradients is none
        with torch.no_grad():
            for buffer, kept in zip(runner.model.buffers(), self._buffers):
                buffer.copy_(kept)

    def _end(self, runner: Runner, fault: str) -> None:
        """Save the batch of each rank, and end the training on all of them."""
        clips = _clips(self._batch)
        name = f'not_finite_iter_{runner.iter + 1}_rank_{get_rank()}.pth'
        path = osp.join(runner.work_dir, name)
        found = dict(iteration=runner.iter + 1, loss=self._loss.item(), clips=clips)
        try:
            write_weights(path, dict(found, batch=_plain(self._batch)))
        except Exception as error:  # what ends the training is another
            path = f'could not be saved ({error})'
        told = self._tell(runner, fault, clips, f' Batch: {path}.')
        in_a_row = f' ({self._in_a_row} batches before it were left out.)' if self._in_a_row else ''
        raise FloatingPointError(
            f'{told}{in_a_row} The weights are those before it, and no checkpoint has it. Look at '
            'these clips, lower the learning rate, or let such batches be left out: '
            'default_hooks.non_finite.max_skips=3.'
        )

    def _tell(self, runner: Runner, fault: str, clips: list[str], more: str = '') -> str:
        """What happened where, the same on all ranks: of those alone whose loss is not finite,
        where there are such."""
        own = f'{fault}. Clips: {_some(clips)}.{more}'
        told = all_gather_object((math.isfinite(self._loss.item()), own))
        guilty = [rank for rank, (finite, _) in enumerate(told) if not finite]
        rate = max(runner.optim_wrapper.get_lr()['lr'])
        text = f'Iteration {runner.iter + 1} (epoch {runner.epoch + 1}, learning rate {rate:.3g})'
        for rank in guilty or range(len(told)):
            where = f' Rank {rank}' if len(told) > 1 else ''
            text += f'{where}: {told[rank][1]}'
        return text


def _grads(optimizer: Optimizer) -> list[Tensor]:
    params = [param for group in optimizer.param_groups for param in group['params']]
    return [param.grad for param in params if param.grad is not None]


def _tensors(node: Any, name: str) -> dict[str, Tensor]:
    """The tensors of nested dicts by their dotted names."""
    if isinstance(node, Tensor):
        return {name: node}
    found: dict[str, Tensor] = {}
    for key, value in node.items() if isinstance(node, dict) else ():
        found |= _tensors(value, f'{name}.{key}')
    return found


def _fault(loss: Tensor, model: nn.Module) -> str:
    """Which loss and gradients are not finite."""
    found = [(name, param.grad) for name, param in model.named_parameters()]
    grads = [(name, grad) for name, grad in found if grad is not None]
    bad = [name for name, grad in grads if not grad.isfinite().all()]
    text = f'the loss is {loss.item():.4g}'
    if not bad:
        return text
    if len(bad) == len(grads):
        return f'{text}, and no gradient is finite'
    return f'{text}, {len(bad)} of {len(grads)} gradients are not finite: {_some(bad)}'


def _clips(batch: Any) -> list[str]:
    """The names of a batch's clips, or their numbers where the pipeline keeps no ``frame_dir``."""
    samples = batch.get('data_samples', ()) if isinstance(batch, dict) else ()
    return [str(one.get('frame_dir', one.get('sample_idx', '?'))) for one in samples]


def _some(names: Sequence[str]) -> str:
    more = f' and {len(names) - _NAMED} more' if len(names) > _NAMED else ''
    return ', '.join(names[:_NAMED]) + more


def _plain(batch: Any) -> Any:
    """A batch as tensors, numbers, texts, lists and dicts, which torch's safe loader reads."""
    if isinstance(batch, Tensor):
        return batch.detach().cpu().clone()  # a view would be saved with all of its storage
    if isinstance(batch, np.ndarray):
        return torch.from_numpy(batch.copy())
    if isinstance(batch, BaseDataElement):
        return _plain(batch.to_dict())
    if hasattr(batch, '_asdict'):
        return _plain(batch._asdict())
    if isinstance(batch, dict):
        return {str(key): _plain(value) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [_plain(value) for value in batch]
    return batch if isinstance(batch, (int, float, str, type(None))) else str(batch)
