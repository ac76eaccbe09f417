from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn.utils import clip_grad_norm_


@HOOKS.register_module()
class PerTensorGradClipHook(Hook):
    """Clip the gradient of each parameter tensor to its own maximum norm.

    mmengine's ``clip_grad`` bounds the norm of all gradients together; STARS tunes with each tensor
    bounded by itself. This puts another function in the place that mmengine's optimizer wrappers
    keep for clipping: after the all-reduce, and after mixed precision has unscaled the gradients.

    Args:
        max_norm (float): Largest L2 norm of a tensor's gradient.
    """

    def __init__(self, max_norm: float = 3.0) -> None:
        if max_norm <= 0:
            raise ValueError(f'max_norm must be positive, got {max_norm}.')
        self.max_norm = max_norm

    def rehearse(self, runner: Runner) -> None:
        """What can go wrong before training; see :func:`rehearse`."""
        self.before_train(runner)

    def before_train(self, runner: Runner) -> None:
        """Tell the optimizer wrapper how to clip, unless it has been told another way."""
        wrapper = runner.optim_wrapper
        if wrapper.clip_grad_kwargs and wrapper.clip_func is not clip_each_grad_norm_:
            raise ValueError(
                f'optim_wrapper.clip_grad={wrapper.clip_grad_kwargs} and PerTensorGradClipHook '
                'both clip the gradients: leave out one of them.'
            )
        wrapper.clip_func = clip_each_grad_norm_
        wrapper.clip_grad_kwargs = dict(max_norm=self.max_norm)


def clip_each_grad_norm_(params: list[Tensor], max_norm: float) -> None:
    """Clip each parameter's gradient to ``max_norm``, in place."""
    for param in params:
        clip_grad_norm_(param, max_norm)
