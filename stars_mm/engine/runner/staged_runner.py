import os.path as osp

from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

from stars_mm.compat import no_accelerator
from stars_mm.engine.runner.checked_runner import named
from stars_mm.engine.runner.checks import check_ann_files, check_pretrained, check_queue
from stars_mm.engine.runner.last_checkpoint import (
    forget_checkpoints,
    is_finished,
    latest_checkpoint,
)
from stars_mm.engine.runner.rehearsal import rehearse
from stars_mm.engine.runner.resumable_runner import ResumableRunner
from stars_mm.engine.runner.run_record import check_same_run, check_same_start
from stars_mm.engine.runner.stages import build_stage_cfg, check_stages, find_stage_config
from stars_mm.models.utils.transformer import compile_blocks


@RUNNERS.register_module()
class StagedRunner(ResumableRunner):
    """Runner that first trains the stages that come before its config.

    A config switches it on by ``runner_type = 'StagedRunner'`` and names the
    earlier stages::

        stages = [dict(name='pretrain', config='mamp/….py', options={})]

    Each stage is trained in ``work_dir/<name>/``, its last checkpoint is what the next one starts
    from, and the config's own training comes last. ``resume`` goes on in the stage that was
    interrupted, and skips those that are finished. A ``load_from`` skips the earlier stages.
    Without stages it is mmengine's runner plus checks of data and weights before training.

    ``AmpOptimWrapper`` and ``compile`` are for GPUs: on the CPU the same config
    trains in single precision, and compiles nothing. On a GPU, ``compile``
    (True, or the options of ``torch.compile``) compiles each transformer
    block, whose shapes hardly change, instead of the whole step.
    """

    def _prepare_training(self) -> None:
        """Train the stages that are not finished."""
        stages = self.cfg.get('stages') or []
        check_stages(stages, self.cfg)
        self._find_resumed()
        check_pretrained(self.cfg, self.bare_model, bool(self._load_from or stages))
        if self._load_from:
            stages = []
        with named(self.cfg, 'stages'):
            stage_cfgs = [build_stage_cfg(self.cfg, stage, self.work_dir) for stage in stages]
        with named(self.cfg):
            check_ann_files(self.cfg)
            check_queue(self.cfg, self.bare_model, self.world_size)
        if stages:
            rehearse([*stage_cfgs, self.cfg])
            self._prepare_stages(stages)
        self._begin_run()
        for number, cfg in enumerate(stage_cfgs, start=1):
            cfg.load_from = cfg.get('load_from') or self._load_from
            self._load_from = self._run_stage(cfg, f'{number} of {len(stages) + 1}')
        if stages:
            self._resume = False
            # the same draw whether the stages ran just now or long ago
            self.set_randomness(**self._randomness_cfg)

    def _find_resumed(self) -> None:
        """Find what is to be resumed; it, and what stages left before it, must be of this run."""
        is_named = bool(self._load_from)
        super()._find_resumed()
        if self._load_from and self._resume and not is_named:
            for stage in self.cfg.get('stages') or []:
                cfg = build_stage_cfg(self.cfg, stage, self.work_dir)
                found = latest_checkpoint(cfg.work_dir)
                if found:
                    check_same_run(cfg, found, self.world_size, is_over=True)

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
            if cfg.load_from:
                check_same_start(done, cfg.load_from)
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
        self._make_current()
        checkpoint = latest_checkpoint(cfg.work_dir)
        if checkpoint is None:
            raise FileNotFoundError(
                f'Stage "{name}" left no checkpoint in {cfg.work_dir}. Its config, {cfg.filename}, '
                "needs default_hooks.checkpoint=dict(type='AtomicCheckpointHook')."
            )
        return checkpoint

    def _make_current(self) -> None:
        """Let mmengine's global instances be this runner's again, after those of a stage."""
        for manager, instance in (
            (MMLogger, self.logger),
            (MessageHub, self.message_hub),
            (Visualizer, self.visualizer),
            (DefaultScope, self.default_scope),
        ):
            instances = manager._instance_dict
            instances[instance.instance_name] = instances.pop(instance.instance_name)
