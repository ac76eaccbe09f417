from collections.abc import Callable

from torch import nn


def freeze(module: nn.Module, is_frozen: Callable[[str], bool] = lambda name: True) -> None:
    """Stop the gradient of layers, and let them compute as in evaluation: nothing is dropped, and
    batch norms use their running statistics and leave them as they are.

    A layer whose parameters are all frozen goes into evaluation mode at each call, whatever
    ``train()`` has said of the model around it. Copies of the model, such as the teacher or
    mmengine's moving average, do the same. DDP has to wrap the model afterwards.

    Args:
        module (nn.Module): A backbone.
        is_frozen (Callable): Tells by the name of a parameter whether it is frozen; all by default.
    """
    for name, param in module.named_parameters():
        if is_frozen(name):
            param.requires_grad = False
    for layer in module.modules():
        params = list(layer.parameters())
        frozen = params and not any(param.requires_grad for param in params)
        if frozen and _evaluate not in layer._forward_pre_hooks.values():
            # of module level, so that a deep copy calls it with the copied layer
            layer.register_forward_pre_hook(_evaluate)


def _evaluate(layer: nn.Module, args: tuple) -> None:
    if layer.training:
        layer.eval()
