import copy
import os.path as osp
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.engine.launcher_watch import end_with_launcher
from stars_mm.engine.random_state import get_random_state, set_random_state
from stars_mm.engine.runner.checked_runner import CheckedRunner
from stars_mm.engine.runner.last_checkpoint import (
    POINTER,
    forget_checkpoints,
    latest_checkpoint,
    remove_partials,
)
from stars_mm.engine.runner.resumed_state import check_resumed, settings
from stars_mm.engine.runner.run_record import UNKNOWN, check_same_run, run_record, start_of
from stars_mm.engine.runner.train_loops import resumable
from stars_mm.engine.runner.work_dir_lock import WorkDirLock
from stars_mm.engine.stop_signal import STOP_SIGNAL, outlive_signals
from stars_mm.utils.atomic import naming, written_whole
from stars_mm.utils.checkpoint import check_checkpoint, read_checkpoint
from stars_mm.utils.input_error import reading

DEFAULT_SEED = 0
_TO_RESUME = (
    "A training goes on from a checkpoint of its own, with its optimizer; another's weights are "
    'for load_from alone.'
)

_CHECKPOINT_HOOKS = ('CheckpointHook', 'mmengine.CheckpointHook', CheckpointHook)


class ResumableRunner(CheckedRunner):
    """Runner whose training can be ended at any time, and goes on as if it had not been.

    Alone in its work directory, it writes a checkpoint whole or not at all, with the random state
    of each process and a record of the run that it is of: seed, config and data. ``resume`` takes
    the last one that can be read, and refuses that of another run.

    Two runs of a config are the same run: the seed is 0 where none is given.
    """

    #: Whether what is loaded must hold the classifier.
    _needs_classifier = False

    #: The weights that the training began with, None where none were given.
    _start: Any = None

    #: Of trainings that have ended, the logs that may still be open.
    _ended_logs: ClassVar[list[MMLogger]] = []

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'ResumableRunner':
        """Build the runner from a config."""
        cfg = copy.deepcopy(cfg)
        randomness = cfg.setdefault('randomness', ConfigDict())
        if randomness.get('seed') is None:
            randomness['seed'] = DEFAULT_SEED
        return super().from_cfg(cfg)

    @cached_property
    def _run_record(self) -> dict[str, Any]:
        return run_record(self.cfg, self.world_size)

    def train(self) -> nn.Module:
        """Train; returns the trained model.

        Raises:
            RuntimeError: If another training works in the folder.
            ValueError: If what is to be resumed is of another run.
            OSError: If a disk is full; names the file, or the folder.
        """
        with WorkDirLock(self.work_dir), naming(self.work_dir):
            if is_main_process():
                remove_partials(self.work_dir)
            try:
                self._prepare_training()
                if not self._load_from:
                    self._resume = False  # mmengine would look for itself
                return super().train()
            finally:
                STOP_SIGNAL.release()
                self._end_workers()
                self._ended_logs.append(self.logger)

    def _end_workers(self) -> None:
        """End the workers that loaders keep for another epoch. Collected as garbage, in the midst
        of a next stage, they would hold it up for five seconds each; at the end of the process,
        which sends them a signal that they outlive, for a minute."""
        for loop in (self._train_loop, self._val_loop, self._test_loop):
            for name in ('dataloader', 'bank_dataloader'):
                loader = getattr(loop, name, None)
                if isinstance(loader, DataLoader):
                    loader._iterator = None

    def _prepare_training(self) -> None:
        """What comes before the training; the folder is its own by now."""
        self._find_resumed()
        self._begin_run()

    def _find_resumed(self) -> None:
        """Find what is to be resumed; it must be of this run."""
        if self._resume:
            self._load_from = self._load_from or latest_checkpoint(self.work_dir)
            if self._load_from:
                check_same_run(self.cfg, self._load_from, self.world_size)
            elif left := sorted(Path(self.work_dir).glob('*_*.pth')):
                self.logger.warning(
                    f'{self.work_dir}: no {POINTER} says where to go on: the training begins anew '
                    f'and overwrites what lies there, such as {left[-1].name}. To go on from one, '
                    'end it now and name that: --resume CHECKPOINT.'
                )

    def _begin_run(self) -> None:
        """Write the config, and let what an earlier run left count no more."""
        self._write_config()
        if not self._resume:
            forget_checkpoints([self.work_dir])

    def test(self) -> dict:
        """Test a checkpoint, which has to hold the classifier if there is one."""
        self._needs_classifier = True
        self._write_config()
        try:
            return super().test()
        finally:
            self._end_workers()

    def val(self) -> dict:
        """Validate the model as it is."""
        self._write_config()
        try:
            return super().val()
        finally:
            self._end_workers()

    def build_logger(self, *args, **kwargs):
        """Build the logger, and close those of trainings that have ended, which mmengine keeps.

        Not at their end: models write to the current log as to an open file. What is still logged
        opens a closed one again.
        """
        logger = super().build_logger(*args, **kwargs)
        for ended in self._ended_logs:
            if ended not in (logger, MMLogger.get_current_instance()):
                for handler in ended.handlers:
                    handler.close()
        self._ended_logs.clear()
        return logger

    def build_train_loop(self, loop):
        """Build the training loop, which can go on in the midst of an epoch."""
        return super().build_train_loop(resumable(loop) if isinstance(loop, dict) else loop)

    @staticmethod
    def build_dataloader(dataloader, seed=None, diff_rank_seed=False):
        """Build a data loader, whose workers do not end at a signal for the training."""
        loader = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        if isinstance(dataloader, dict):
            loader.worker_init_fn = partial(outlive_signals, loader.worker_init_fn)
        return loader

    def register_hook(self, hook, priority=None):
        """Register a hook; :class:`AtomicCheckpointHook` in the place of mmengine's own."""
        if isinstance(hook, dict) and hook.get('type') in _CHECKPOINT_HOOKS:
            hook = dict(hook, type='AtomicCheckpointHook')
        super().register_hook(hook, priority)

    def setup_env(self, env_cfg):
        """Set up the processes; those of a launcher end with it."""
        if self._launcher != 'none':
            end_with_launcher()
        super().setup_env(env_cfg)

    def dump_config(self):
        """Write nothing yet, as mmengine would when the runner is built: another training may work
        in the folder."""

    @master_only
    def _write_config(self) -> None:
        """Write the config to the work directory, whole or not at all."""
        name = osp.basename(self.cfg.filename or f'{self.timestamp}.py')
        with written_whole(osp.join(self.work_dir, name)) as partial_file:
            partial_file.write_text(self.cfg.dump(), encoding='utf-8')

    @master_only
    def save_checkpoint(self, out_dir, filename, *args, meta=None, **kwargs):
        """Write a checkpoint, which says of which run it is, whole or not at all."""
        meta = dict(meta or {}, run=dict(self._run_record, start=self._start))
        if '://' in out_dir:
            super().save_checkpoint(out_dir, filename, *args, meta=meta, **kwargs)
            return
        with written_whole(osp.join(out_dir, filename)) as partial_file:
            super().save_checkpoint(out_dir, partial_file.name, *args, meta=meta, **kwargs)

    def resume(self, filename, *args, **kwargs):
        """Go on from a checkpoint of this run, in the midst of an epoch, too."""
        before = settings(self)
        with reading(filename, _TO_RESUME):
            super().resume(filename, *args, **kwargs)
            self._start = (self._meta.get('run') or {}).get('start', UNKNOWN)
            check_resumed(self, before)
            drawing = get_random_state()
            for state in self._random_states or []:
                set_random_state(state)  # raises an error where it is none
        set_random_state(drawing)
        states = self._random_states
        if states and len(states) != self.world_size:
            self.logger.warning(
                f'{filename}: was saved by {len(states)} processes, and there are '
                f'{self.world_size} now: the rest of the epoch draws other random numbers.'
            )
            states = [drawing] * self.world_size
        self.train_loop.random_state = states[self.rank] if states else None

    def load_checkpoint(
        self,
        filename: str,
        map_location: Any = 'cpu',
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = ((r'^module\.', ''),),
    ) -> dict:
        """Load a checkpoint whose encoder must fit, and for a test its classifier.

        Raises:
            ValueError: If a tensor has another shape than in the model, or no encoder is there.
        """
        checkpoint = read_checkpoint(filename, map_location)
        self._random_states = checkpoint.get('random_states')
        self._meta, self._start = checkpoint['meta'], start_of(filename)
        check_checkpoint(
            checkpoint['state_dict'], self.bare_model, filename, self._needs_classifier
        )
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        _load_checkpoint_to_model(self.bare_model, checkpoint, strict, revise_keys=revise_keys)
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint
