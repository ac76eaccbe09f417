import copy
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import SimpleNamespace
from typing import Any

import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.device import get_device
from mmengine.dist import get_dist_info
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import BaseModel
from mmengine.optim import _ParamScheduler
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.engine.random_state import get_random_state, set_random_state
from stars_mm.engine.runner.checked_runner import CheckedRunner, named
from stars_mm.engine.runner.checks import check_ann_files, check_queue, check_weights
from stars_mm.engine.runner.config_check import check_config
from stars_mm.engine.runner.feature_loop import FeatureLoop
from stars_mm.utils.checkpoint import check_checkpoint

_STEPS = 1000  # of a schedule that are taken
_CLIPS = 2  # of a batch


def rehearse(cfgs: list[Config]) -> None:
    """Build all parts of trainings that follow one another without training, and check whether they
    fit. Data sets that are the same are opened once; of the first training, which starts now and
    builds them next, none is. Of the others the schedules, a step and a validation of two clips are
    tried.

    No random number is drawn that anyone misses, and nothing is left: no file, no line in a log, no
    global instance.

    Raises:
        ValueError: If a part cannot be built or does not fit the others; names file and key.
        OSError: If a file is missing.
    """
    for cfg in cfgs:
        check_config(cfg)
        with named(cfg):
            check_ann_files(cfg)
            check_weights(cfg)
    with _traceless() as folder:
        runs = [_Rehearsal.of(cfg, folder) for cfg in cfgs]
        for run in runs:
            check_queue(run.cfg, run.model, run.world_size)
        for run, following in zip(runs, runs[1:]):
            source = f'The model of stage config {run.cfg.filename}'
            check_checkpoint(run.model.state_dict(), following.model, source)
            run.check_leaves_checkpoint()
        opened: list[tuple[dict, BaseDataset]] = []
        for run in runs[1:]:
            run.build_all(opened)


class _Rehearsal(CheckedRunner):
    """Runner that builds what a training needs, and does not train."""

    scope: str

    #: Configs of data sets, and these.
    opened: list[tuple[dict, BaseDataset]]

    @classmethod
    def of(cls, cfg: Config, folder: str) -> '_Rehearsal':
        """The runner of a config, with its model and its hooks."""
        cfg = copy.deepcopy(cfg)
        scope = cfg.pop('default_scope', 'mmengine')
        cfg.update(work_dir=folder, default_scope=None)
        with _default_scope(scope):
            run = cls.from_cfg(cfg)
        run.scope = scope
        return run

    def check_leaves_checkpoint(self) -> None:
        """Raise a ValueError where the next stage would have nothing to start from."""
        for hook in self.hooks:
            if isinstance(hook, CheckpointHook):
                length = self.cfg.train_cfg.get('max_epochs' if hook.by_epoch else 'max_iters', 1)
                if hook.save_last or hook.interval > 0 and length % hook.interval == 0:
                    return
        raise ValueError(
            f'{self.cfg.filename}: default_hooks.checkpoint: a stage needs '
            "dict(type='CheckpointHook') that saves its end, for the next one starts from it."
        )

    def build_all(self, opened: list[tuple[dict, BaseDataset]]) -> None:
        """Build what :meth:`Runner.train` and :meth:`Runner.test` build."""
        self.opened = opened
        with _default_scope(self.scope):
            self._train_loop = self.build_train_loop(self._train_loop)
            self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
            self.scale_lr(self.optim_wrapper, self.auto_scale_lr)
            if self.param_schedulers is not None:
                self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
                self._try_schedules()
            val_loop = None
            if self._val_loop is not None:
                val_loop = self.build_val_loop(self._val_loop)
            if self._test_loop is not None and self._val_loop is not None:  # of labeled clips
                self.build_test_loop(self._test_loop)
            for hook in self.hooks:
                if isinstance(hook, EMAHook):
                    with named(self.cfg, 'custom_hooks: EMAHook'):
                        hook.before_run(self)
                        hook.before_train(self)
                if hasattr(hook, 'rehearse'):
                    with named(self.cfg, 'custom_hooks'):
                        hook.rehearse(self)
            self._try_step()
            if val_loop is not None:
                self._try_validation(val_loop)

    def _try_schedules(self) -> None:
        """Take the steps of each schedule."""
        schedules = self.param_schedulers if isinstance(self.param_schedulers, list) else []
        with named(self.cfg, 'param_scheduler'), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that the optimizer takes none
            for schedule in schedules:
                if not isinstance(schedule, _ParamScheduler):
                    continue  # needs a metric
                steps = self.max_epochs if schedule.by_epoch else self.max_iters
                for _ in range(min(steps, _STEPS)):
                    schedule.step()

    def _try_step(self) -> None:
        """Find a loss and gradients of two clips, of one where a batch may hold but one."""
        loader, model = self.train_dataloader, self.model
        if not isinstance(model, BaseModel) or loader.batch_size is None:
            return
        clips = loader.batch_size
        if not loader.drop_last and not getattr(loader, 'num_batch_per_epoch', None):
            clips = len(loader.sampler) % clips or clips  # those of the last batch
        clips = min(clips, _CLIPS)
        with named(self.cfg, f'model, train_dataloader: a step with {clips} clips'):
            numbers = islice(iter(loader.sampler), clips)
            batch = loader.collate_fn([loader.dataset[number] for number in numbers])
            model.to(get_device()).train()
            losses = model._run_forward(model.data_preprocessor(batch, True), mode='loss')
            model.parse_losses(losses)[0].backward()

    def _try_validation(self, loop: BaseLoop) -> None:
        """Show the metrics what the model makes of two clips."""
        loader, model = loop.dataloader, self.model
        if not isinstance(model, BaseModel):
            return
        with named(self.cfg, 'val_evaluator'), torch.no_grad():
            clips = [loader.dataset[number] for number in range(min(len(loader.dataset), _CLIPS))]
            batch = loader.collate_fn(clips)
            model.eval()
            if isinstance(loop, FeatureLoop):
                loop.run_iter(batch, 'bank')
            else:
                loop.evaluator.process(data_samples=model.val_step(batch), data_batch=batch)

    def build_dataloader(
        self, dataloader: dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Build a loader, of a data set that was opened already where its config is the same."""
        cfg = dict(dataloader)
        wanted = cfg.get('dataset')
        if isinstance(wanted, dict):
            found = [dataset for its_cfg, dataset in self.opened if its_cfg == wanted]
            if not found:
                found = [DATASETS.build(wanted)]
                self.opened.append((wanted, found[0]))
            cfg['dataset'] = found[0]
        return Runner.build_dataloader(cfg, seed, diff_rank_seed)

    def setup_env(self, env_cfg: dict) -> None:
        self._rank, self._world_size = get_dist_info()
        self._timestamp = 'rehearsal'

    def set_randomness(
        self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False
    ) -> None:
        self._seed, self._deterministic = seed or 0, deterministic

    def build_logger(self, *args: Any, **kwargs: Any) -> logging.Logger:
        return logging.getLogger('rehearsal')

    def build_message_hub(self, *args: Any, **kwargs: Any) -> MessageHub:
        return MessageHub('rehearsal')

    def build_visualizer(self, *args: Any, **kwargs: Any) -> SimpleNamespace:
        return SimpleNamespace(add_config=lambda cfg: None)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        return model

    def dump_config(self) -> None:
        pass

    def _log_env(self, env_cfg: dict) -> None:
        pass


@contextmanager
def _traceless() -> Iterator[str]:
    """A folder for a moment, in which nothing is logged; then all generators are as before."""
    state = get_random_state()
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield folder
    finally:
        logger.setLevel(level)
        set_random_state(state)


@contextmanager
def _default_scope(name: str) -> Iterator[None]:
    """As mmengine's ``overwrite_default_scope``, which leaves copies of the instances."""
    DefaultScope.get_instance('rehearsal', scope_name=name)
    try:
        yield
    finally:
        DefaultScope._instance_dict.pop('rehearsal')
