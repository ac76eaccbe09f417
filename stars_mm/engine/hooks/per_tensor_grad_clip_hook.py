from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer


@HOOKS.register_module()
class PerTensorGradClipHook(Hook):
    """Clip the gradient of each parameter tensor to its own maximum norm.

    mmengine's ``clip_grad`` bounds the norm of all gradients together; STARS tunes with each tensor
    bounded by itself. The gradients are clipped just before the optimizer's step: after the
    all-reduce, and after mixed precision has unscaled them.

    Args:
        max_norm (float): Largest L2 norm of a tensor's gradient.
    """

    def __init__(self, max_norm: float = 3.0) -> None:
        if max_norm <= 0:
            raise ValueError(f'max_norm must be positive, got {max_norm}.')
        self.max_norm = max_norm

    def before_train(self, runner: Runner) -> None:
        """Attach the clipping to the optimizer."""
        runner.optim_wrapper.optimizer.register_step_pre_hook(self._clip)

    def _clip(self, optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        # set by the gradient scaler where the step itself unscales (`fused`)
        scale = getattr(optimizer, 'grad_scale', None)
        max_norm = self.max_norm * (1.0 if scale is None else float(scale))
        for group in optimizer.param_groups:
            for param in group['params']:
                clip_grad_norm_(param, max_norm)
