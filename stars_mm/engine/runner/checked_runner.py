from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from stars_mm.compat import no_accelerator
from stars_mm.engine.optimizers import freeze_untrained_layers
from stars_mm.engine.runner.checks import check_batches, check_dataset
from stars_mm.engine.runner.config_check import MMENGINE_HOOKS, check_config
from stars_mm.engine.runner.stages import without_mixed_precision
from stars_mm.utils.input_error import InputError


@contextmanager
def named(cfg: Config, keys: str = '') -> Iterator[None]:
    """Name the config, and the keys that are read, in an error that does not name its file."""
    try:
        yield
    except (OSError, InputError):
        raise
    except Exception as error:  # constructors check in many ways
        where = cfg.filename or 'config'
        if where in str(error):
            raise
        text = str(error)
        if not isinstance(error, ValueError):
            text = f'{type(error).__name__}: {text}'
        raise ValueError(': '.join(filter(None, (where, keys, text)))) from error


class CheckedRunner(Runner):
    """Runner whose parts are checked against each other as they are built, and whose errors say
    which file and key they are of."""

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'CheckedRunner':
        """Build the runner from a config whose names are checked."""
        check_config(cfg)
        with named(cfg):
            return super().from_cfg(cfg)

    @property
    def bare_model(self) -> nn.Module:
        """nn.Module: The model without its distributed wrapper."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    def build_model(self, model):
        """Build the model, its frozen layers frozen: DDP, which wraps it next, must not wait for
        their gradients."""
        with named(self.cfg, 'model'):
            model = super().build_model(model)
        with named(self.cfg, 'optim_wrapper.paramwise_cfg'):
            optim_wrapper = self.cfg.get('optim_wrapper') or {}
            freeze_untrained_layers(model, optim_wrapper.get('paramwise_cfg') or {})
        return model

    def build_train_loop(self, loop):
        """Build the training loop and check that its data fit the model."""
        with named(self.cfg, 'train_cfg, train_dataloader'):
            loop = super().build_train_loop(loop)
        if isinstance(loop, EpochBasedTrainLoop):
            check_batches(loop.dataloader, self.world_size, self.cfg)
            self.logger.info(
                f'To be trained: {loop.max_epochs} epochs of {len(loop.dataloader)} iterations, '
                f'{loop.max_iters} in all'
            )
        with named(self.cfg, 'train_dataloader'):
            check_dataset(loop.dataloader.dataset, self.bare_model, self.cfg)
        return loop

    def build_val_loop(self, loop):
        """Build the validation loop and check that its data fit the model."""
        with named(self.cfg, 'val_cfg, val_dataloader, val_evaluator'):
            return self._check_eval_loop(super().build_val_loop(loop))

    def build_test_loop(self, loop):
        """Build the test loop and check that its data fit."""
        with named(self.cfg, 'test_cfg, test_dataloader, test_evaluator'):
            return self._check_eval_loop(super().build_test_loop(loop))

    def build_optim_wrapper(self, optim_wrapper):
        """Build the optimizer wrapper, without mixed precision on the CPU."""
        if isinstance(optim_wrapper, dict) and no_accelerator():
            optim_wrapper = without_mixed_precision(optim_wrapper)
        with named(self.cfg, 'optim_wrapper'):
            return super().build_optim_wrapper(optim_wrapper)

    def build_param_scheduler(self, scheduler):
        """Build the schedules of the optimizer."""
        with named(self.cfg, 'param_scheduler'):
            return super().build_param_scheduler(scheduler)

    def register_hooks(
        self, default_hooks: dict | None = None, custom_hooks: list | None = None
    ) -> None:
        """Build the hooks, without those that are None."""
        # mmengine takes None for its own alone
        default_hooks = {
            name: hook
            for name, hook in (default_hooks or {}).items()
            if hook is not None or name in MMENGINE_HOOKS
        }
        with named(self.cfg, 'default_hooks, custom_hooks'):
            super().register_hooks(default_hooks, custom_hooks)

    def _check_eval_loop(self, loop):
        for dataloader in (loop.dataloader, getattr(loop, 'bank_dataloader', None)):
            if dataloader is not None:
                check_dataset(dataloader.dataset, self.bare_model, self.cfg)
        return loop
