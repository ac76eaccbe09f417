import copy
import os.path as osp
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from mmaction.registry import RUNNERS
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmengine.visualization import Visualizer
from torch import nn

from stars_mm.compat import no_accelerator
from stars_mm.engine.launcher_watch import end_with_launcher
from stars_mm.engine.random_state import get_random_state, set_random_state
from stars_mm.engine.runner.checked_runner import CheckedRunner
from stars_mm.engine.runner.checks import check_ann_files, check_pretrained, check_queue
from stars_mm.engine.runner.last_checkpoint import (
    forget_checkpoints,
    is_finished,
    latest_checkpoint,
    remove_partials,
)
from stars_mm.engine.runner.rehearsal import rehearse
from stars_mm.engine.runner.resumed_state import check_resumed, settings
from stars_mm.engine.runner.run_record import check_same_run, run_record
from stars_mm.engine.runner.stages import build_stage_cfg, check_stages, find_stage_config
from stars_mm.engine.runner.train_loops import resumable
from stars_mm.engine.runner.work_dir_lock import WorkDirLock
from stars_mm.engine.stop_signal import STOP_SIGNAL, outlive_signals
from stars_mm.models.utils.transformer import compile_blocks
from stars_mm.utils.atomic import naming, written_whole
from stars_mm.utils.checkpoint import check_checkpoint, read_checkpoint
from stars_mm.utils.input_error import reading

DEFAULT_SEED = 0
_TO_RESUME = (
    "A training goes on from a checkpoint of its own, with its optimizer; another's weights are "
    'for load_from alone.'
)

_CHECKPOINT_HOOKS = ('CheckpointHook', 'mmengine.CheckpointHook', CheckpointHook)


@RUNNERS.register_module()
class StagedRunner(CheckedRunner):
    """Runner that first trains the stages that come before its config.

    A config switches it on by ``runner_type = 'StagedRunner'`` and names the
    earlier stages::

        stages = [dict(name='pretrain', config='mamp/….py', options={})]

    Each stage is trained in ``work_dir/<name>/``, its last checkpoint is what the next one starts
    from, and the config's own training comes last. ``resume`` goes on in the stage that was
    interrupted, and skips those that are finished. A ``load_from`` skips the earlier stages.
    Without stages it is mmengine's runner plus checks of data and weights before training.

    Two runs of a config are the same run: the seed is 0 where none is given.

    ``AmpOptimWrapper`` and ``compile`` are for GPUs: on the CPU the same config
    trains in single precision, and compiles nothing. On a GPU, ``compile``
    (True, or the options of ``torch.compile``) compiles each transformer
    block, whose shapes hardly change, instead of the whole step.
    """

    #: Whether what is loaded must hold the classifier.
    _needs_classifier = False

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'StagedRunner':
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
        """Train the stages that are not finished, then this config; returns the trained model.

        Raises:
            RuntimeError: If another training works in the folder.
            ValueError: If what is to be resumed is of another run.
            OSError: If a disk is full; names the file, or the folder.
        """
        with WorkDirLock(self.work_dir), naming(self.work_dir):
            if is_main_process():
                remove_partials(self.work_dir)
            try:
                return self._train_all()
            finally:
                STOP_SIGNAL.release()

    def _train_all(self) -> nn.Module:
        stages = self.cfg.get('stages') or []
        check_stages(stages, self.cfg)
        if self._resume and not self._load_from:
            self._load_from = latest_checkpoint(self.work_dir)
            self._check_same_run(stages)
        elif self._resume:
            self._check_same_run([])
        check_pretrained(self.cfg, self.bare_model, bool(self._load_from or stages))
        if self._load_from:
            stages = []
        stage_cfgs = [build_stage_cfg(self.cfg, stage, self.work_dir) for stage in stages]
        check_ann_files(self.cfg)
        check_queue(self.cfg, self.bare_model, self.world_size)
        if stages:
            rehearse([*stage_cfgs, self.cfg])
            self._prepare_stages(stages)
        self._write_config()
        if not self._resume:
            forget_checkpoints([self.work_dir])
        for number, cfg in enumerate(stage_cfgs, start=1):
            cfg.load_from = cfg.get('load_from') or self._load_from
            self._load_from = self._run_stage(cfg, f'{number} of {len(stages) + 1}')
        if stages:
            self._make_current()
            self._resume = False
            # the same draw whether the stages ran just now or long ago
            self.set_randomness(**self._randomness_cfg)
        elif not self._load_from:
            self._resume = False  # mmengine would look for itself
        return super().train()

    def test(self) -> dict:
        """Test a checkpoint, which has to hold the classifier if there is one."""
        self._needs_classifier = True
        self._write_config()
        return super().test()

    def val(self) -> dict:
        """Validate the model as it is."""
        self._write_config()
        return super().val()

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
        meta = dict(meta or {}, run=self._run_record)
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
        check_checkpoint(
            checkpoint['state_dict'], self.bare_model, filename, self._needs_classifier
        )
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        _load_checkpoint_to_model(self.bare_model, checkpoint, strict, revise_keys=revise_keys)
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    def _maybe_compile(self, target: str) -> None:
        """Compile the transformer blocks, if the config says so."""
        options = self.cfg.get('compile')
        if not options:
            return
        if no_accelerator():
            self.logger.info('compile: nothing is compiled on the CPU.')
            return
        number = compile_blocks(self.bare_model, **({} if options is True else options))
        self.logger.info(f'compile: {number} transformer blocks; the first iterations are slow.')

    def _prepare_stages(self, stages: list) -> None:
        if not self._resume:
            forget_checkpoints([osp.join(self.work_dir, stage['name']) for stage in stages])
        # the copy in work_dir has to find the stages from there
        for stage in stages:
            stage['config'] = find_stage_config(stage['config'], self.cfg)

    def _run_stage(self, cfg: Config, place: str) -> str:
        """Train one stage; returns the path of its last checkpoint."""
        name = osp.basename(cfg.work_dir)
        done = latest_checkpoint(cfg.work_dir) if cfg.resume else None
        if done:
            check_same_run(cfg, done, self.world_size)
        if done and is_finished(cfg, done):
            self.logger.info(f'Stage {place}, "{name}", is finished: {done}')
            return done
        self.logger.info(f'Stage {place}: "{name}" in {cfg.work_dir}')
        if done:
            cfg.load_from = done
        elif cfg.load_from:  # the stage before: its weights, not its progress
            cfg.resume = False
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.train()
        checkpoint = latest_checkpoint(cfg.work_dir)
        if checkpoint is None:
            raise FileNotFoundError(
                f'Stage "{name}" left no checkpoint in {cfg.work_dir}. Its config, {cfg.filename}, '
                "needs default_hooks.checkpoint=dict(type='AtomicCheckpointHook')."
            )
        for handler in runner.logger.handlers:
            handler.close()  # mmengine keeps its loggers, and their files, until the process ends
        return checkpoint

    def _check_same_run(self, stages: list) -> None:
        """Check that what is resumed, and what stages left before it, is of this run."""
        if self._load_from:
            check_same_run(self.cfg, self._load_from, self.world_size)
            for stage in stages:
                cfg = build_stage_cfg(self.cfg, stage, self.work_dir)
                found = latest_checkpoint(cfg.work_dir)
                if found:
                    check_same_run(cfg, found, self.world_size)

    def _make_current(self) -> None:
        """Let mmengine's global instances be this runner's again, after those of the stages."""
        for manager, instance in (
            (MMLogger, self.logger),
            (MessageHub, self.message_hub),
            (Visualizer, self.visualizer),
            (DefaultScope, self.default_scope),
        ):
            instances = manager._instance_dict
            instances[instance.instance_name] = instances.pop(instance.instance_name)
