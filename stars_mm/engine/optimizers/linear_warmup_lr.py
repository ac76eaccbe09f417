from typing import Any

from mmaction.registry import PARAM_SCHEDULERS
from mmengine.optim.scheduler import _ParamScheduler
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

INF = int(1e9)  # mmengine's "no end"


@PARAM_SCHEDULERS.register_module()
class LinearWarmupLR(LRSchedulerMixin, _ParamScheduler):
    """Learning rate that grows linearly from 0 at ``begin`` to its full value at ``end``.

    mmengine's ``LinearLR`` cannot start from 0 and reaches the full value one step too early; the
    reference's learning rate at iteration i of W warm-up iterations is exactly base · i / W.

    Args:
        optimizer (Optimizer or BaseOptimWrapper): Whose learning rate it is.
        begin (int): First step.
        end (int): Step at which the full value is reached; ``begin`` for no warm-up.
        *args: ``last_step``, ``by_epoch`` and ``verbose``, as for mmengine's ``LinearLR``.
        **kwargs: The same.
    """

    def __init__(
        self, optimizer: Any, begin: int = 0, end: int = INF, *args: Any, **kwargs: Any
    ) -> None:
        if end < begin:
            raise ValueError(f'end={end} must not come before begin={begin}.')
        self.warmup_steps = end - begin
        # mmengine's range leaves its end out, where the full value is due
        super().__init__(optimizer, begin, end + 1, *args, **kwargs)

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        begin: float = 0,
        end: float = INF,
        by_epoch: bool = True,
        epoch_length: Any = None,
        **kwargs: Any,
    ) -> 'LinearWarmupLR':
        """Build an iteration-based scheduler from epochs."""
        begin, end = int(begin * epoch_length), int(end * epoch_length)
        return cls(*args, begin=begin, end=end, by_epoch=False, **kwargs)

    def _get_value(self) -> list[float]:
        share = self.last_step / self.warmup_steps if self.warmup_steps else 1.0
        return [base * share for base in self.base_values]
