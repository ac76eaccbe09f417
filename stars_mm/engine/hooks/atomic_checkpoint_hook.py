import os.path as osp
import signal
import sys
from collections import deque
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather_object, barrier, get_world_size, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch import distributed

from stars_mm.engine.random_state import get_random_state
from stars_mm.engine.runner.last_checkpoint import point_to
from stars_mm.engine.runner.train_loops import ResumableIterTrainLoop, ResumableTrainLoop
from stars_mm.engine.stop_signal import STOP_SIGNAL

_STOPPED = 'stopped_ckpt'  # under which the message hub knows where a signal stopped the run


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's :class:`CheckpointHook`, with its arguments, for runs that are interrupted.

    :class:`StagedRunner`, which puts it in the place of a ``CheckpointHook``, writes a checkpoint
    whole or not at all. The file ``last_checkpoint`` names it once it is there, by a path relative
    to the work directory, and only then the checkpoints that it replaces are removed.

    SIGTERM and SIGUSR1 let the run save its state after the iteration that is under way, the same
    one on all ranks, to ``iter_N.pth``, and end with the exit status 128 + the signal's number.
    Resumed, it ends as if it had not been interrupted: a checkpoint from the midst of an epoch
    holds the random generators of all ranks. The same signal again, after 2 seconds or more, ends
    it at once.
    """

    def before_train(self, runner: Runner) -> None:
        """Listen to signals, and see that nothing is removed before its time."""
        self._group = _flag_group()
        self._random_states: list[dict] | None = None
        super().before_train(runner)
        self.file_backend: Any = _RemovesLater(self.file_backend)
        if self.save_best is not None:  # the folder may have been moved or copied
            for owner, name in self._best_paths():
                owner[name] = self._path(osp.basename(owner[name]))
        STOP_SIGNAL.listen()

    def after_train_iter(self, runner: Runner, batch_idx: int, **kwargs: Any) -> None:
        """Save where it is time to, or where a signal asks for it."""
        super().after_train_iter(runner, batch_idx, **kwargs)
        number = self._agreed_signal()
        # amid an accumulation of gradients there is no state to go on from
        if number and getattr(runner.optim_wrapper, 'should_update', lambda: True)():
            resumable = isinstance(runner.train_loop, (ResumableTrainLoop, ResumableIterTrainLoop))
            self._stop(runner, number, runner.iter + 1 if resumable else None)

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """End where a signal came since the last training iteration: a validation is not waited
        for. Several ranks go on to the next iteration, in which they can agree."""
        number = STOP_SIGNAL.received
        if number and not runner.distributed and isinstance(runner.train_loop, ResumableTrainLoop):
            self._stop(runner, number, runner.iter)

    def after_train(self, runner: Runner) -> None:
        """End where a signal came after the last iteration."""
        super().after_train(runner)
        number = self._agreed_signal()
        if number:
            self._stop(runner, number, None)
        STOP_SIGNAL.release()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the states of the random generators, where epochs do not begin with their own."""
        if self._random_states is not None:
            checkpoint['random_states'] = self._random_states

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        if self.max_keep_ckpts > 0 and list(self.keep_ckpt_ids)[-1:] != [step]:
            steps = [*self.keep_ckpt_ids, step]
            # with those that are too many: a run that is killed now removes them when it is resumed
            runner.message_hub.update_info('keep_ckpt_ids', steps)
            self.keep_ckpt_ids = deque(steps, self.max_keep_ckpts)
            for old in steps[: -self.max_keep_ckpts]:
                self.file_backend.remove(self._path(self.filename_tmpl.format(old)))
        self._save(runner, self.filename_tmpl.format(step), meta, amid_epoch=not self.by_epoch)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        if self.save_best is not None:
            self._remove_former()

    def _save(self, runner: Runner, name: str, meta: dict, amid_epoch: bool) -> None:
        """Save, point to it, and only then remove what is replaced."""
        stopped = runner.message_hub.get_info(_STOPPED)
        if stopped is not None:
            self.file_backend.remove(self._path(stopped))
        runner.message_hub.update_info(_STOPPED, name if amid_epoch and self.by_epoch else None)
        self.last_ckpt = self._path(name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        self._random_states = all_gather_object(get_random_state()) if amid_epoch else None
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._random_states = None
        if is_main_process():
            point_to(self.last_ckpt, runner.work_dir)
        self._remove_former()

    def _stop(self, runner: Runner, number: int, done: int | None) -> None:
        """End because of a signal, after saving the state after ``done`` iterations."""
        name = f'iter_{done}.pth'
        if done is not None and osp.basename(self.last_ckpt or '') != name:
            meta = dict(epoch=runner.epoch, iter=done)
            self._save(runner, name, meta, amid_epoch=True)
        barrier()  # a rank that ends lets the launcher end the others
        runner.logger.warning(
            f'{signal.Signals(number).name}: the training ends with exit status {128 + number}. '
            f'Its last checkpoint is {self.last_ckpt}; --resume goes on from there.'
        )
        sys.exit(128 + number)

    def _agreed_signal(self) -> int:
        """The signal that a rank received, 0 for none, the same on all ranks."""
        if get_world_size() == 1:
            return STOP_SIGNAL.received
        flag = torch.tensor(STOP_SIGNAL.received)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX, self._group)
        return int(flag)

    def _best_paths(self) -> list[tuple[dict, str]]:
        """Where the paths of the best checkpoints stand: a dict and a key of each."""
        paths = [(vars(self), 'best_ckpt_path')]
        paths += [
            (found, key) for found in [vars(self).get('best_ckpt_path_dict', {})] for key in found
        ]
        return [(owner, name) for owner, name in paths if owner.get(name)]

    def _remove_former(self) -> None:
        if is_main_process():
            best = [owner[name] for owner, name in self._best_paths()]
            self.file_backend.remove_now(keep=[self.last_ckpt, *best])

    def _path(self, name: str) -> str:
        return self.file_backend.join_path(self.out_dir, name)


class _RemovesLater:
    """A file backend that removes nothing before it is told to."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._waiting: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._waiting.append(path)

    rmtree = remove  # those of deepspeed are folders

    def remove_now(self, keep: list[str | None]) -> None:
        while self._waiting:
            path = self._waiting.pop()
            if path not in keep and self._backend.isfile(path):
                self._backend.remove(path)
            elif path not in keep and self._backend.isdir(path):
                self._backend.rmtree(path)


def _flag_group() -> Any:
    """A process group for a number of the CPU: through NCCL each iteration would wait for the
    GPU."""
    if get_world_size() == 1 or distributed.get_backend() == 'gloo':
        return None
    return distributed.new_group(backend='gloo')
