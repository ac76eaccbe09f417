from typing import Any

from mmaction.models import AAGCN, STGCN
from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from stars_mm.models.utils.freezing import freeze

_OPTIONS = ('layer_decay', 'num_trainable_layers', 'decay_1d')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Learning rates that fall from the head to the embeddings.

    With a backbone of ``depth`` blocks, block i learns at base · ``layer_decay`` ^ (depth − i), the
    embeddings at base · ``layer_decay`` ^ (depth + 1), the final norm and all that is not backbone
    at base. The backbone tells the layer of a parameter by ``get_layer_depth``; those of
    mmaction2's graph networks are known, and with a ``layer_decay`` of 1 any backbone will do. What
    is frozen does not enter the optimizer.

    Args:
        optim_wrapper_cfg (dict): Config of the optimizer wrapper.
        paramwise_cfg (dict): ``layer_decay`` (float, 1 by default); ``num_trainable_layers`` (int,
            all by default): the last blocks that are trained, those before and the embeddings are
            frozen; ``decay_1d`` (bool, True by default): whether biases and norms, the parameters
            of one dimension, decay too.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        paramwise_cfg = dict(paramwise_cfg or {})
        check_options(paramwise_cfg)
        paramwise_cfg.setdefault('layer_decay', 1.0)  # never falls through to
        # mmengine's branch for an empty paramwise_cfg
        super().__init__(optim_wrapper_cfg, paramwise_cfg)

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: Any) -> None:
        """Add groups of the model's trained parameters, by learning rate and weight decay."""
        freeze_untrained_layers(module, self.paramwise_cfg)
        layer_decay = self.paramwise_cfg['layer_decay']
        decay_1d = self.paramwise_cfg.get('decay_1d', True)
        groups: dict[tuple[float, bool], dict] = {}
        for name, param in module.named_parameters():
            if not param.requires_grad:
                continue
            scale = 1.0
            if layer_decay < 1:  # else any backbone will do
                layer, num_layers = get_layer_depth(module.backbone, name, prefix='backbone.')
                scale = layer_decay ** (num_layers - 1 - layer)
            decays = decay_1d or param.ndim > 1
            if (scale, decays) not in groups:
                group = dict(params=[], lr=self.base_lr * scale)
                if not decays:
                    group['weight_decay'] = 0.0
                groups[scale, decays] = group
            groups[scale, decays]['params'].append(param)
        params.extend(groups.values())
        for group in groups.values():
            print_log(
                f'{len(group["params"])} tensors with lr {group["lr"]:.3e}, weight decay '
                f'{group.get("weight_decay", self.base_wd)}',
                logger='current',
            )


def check_options(paramwise_cfg: dict) -> None:
    """Raise a ValueError for an option that does not exist or fit."""
    unknown = sorted(set(paramwise_cfg) - set(_OPTIONS))
    if unknown:
        raise ValueError(
            f'paramwise_cfg has unknown options {unknown}; known are {list(_OPTIONS)}.'
        )
    layer_decay = paramwise_cfg.get('layer_decay', 1.0)
    if not 0 < layer_decay <= 1:
        raise ValueError(f'layer_decay={layer_decay} must lie in (0, 1].')


def freeze_untrained_layers(model: nn.Module, paramwise_cfg: dict) -> None:
    """Freeze the layers of the backbone that are not to be trained.

    DDP has to be told beforehand, so :class:`StagedRunner` calls this when it has built the model;
    the constructor calls it again for other runners.

    Raises:
        ValueError: If more blocks are to be trained than there are.
    """
    num_trainable = paramwise_cfg.get('num_trainable_layers')
    if num_trainable is None:
        return
    depth = get_layer_depth(model.backbone, '')[1] - 2
    if not 0 <= num_trainable <= depth:
        raise ValueError(
            f'num_trainable_layers={num_trainable} must lie between 0 and the depth of the '
            f'backbone, {depth}.'
        )
    freeze(
        model.backbone,
        lambda name: get_layer_depth(model.backbone, name)[0] <= depth - num_trainable,
    )


def get_layer_depth(backbone: nn.Module, param_name: str, prefix: str = '') -> tuple[int, int]:
    """Layer of a parameter, as the backbone's own ``get_layer_depth`` tells it, or that of
    mmaction2's ``STGCN`` (ST-GCN++ included) and ``AAGCN``, of ``data_bn`` and blocks ``gcn``.

    Args:
        backbone (nn.Module): The backbone.
        param_name (str): Name of the parameter.
        prefix (str): What stands before the backbone's own names.

    Returns:
        tuple[int, int]: The layer and the number of layers, depth + 2: 0 is
        what comes before the blocks, i + 1 block i, depth + 1 all else.

    Raises:
        TypeError: If nothing is known of the backbone.
    """
    if hasattr(backbone, 'get_layer_depth'):
        return backbone.get_layer_depth(param_name, prefix)
    if not isinstance(backbone, (STGCN, AAGCN)):
        raise TypeError(
            f'{type(backbone).__name__} does not say which layer a parameter belongs to '
            '(get_layer_depth), which layer_decay and num_trainable_layers need. Use the default '
            'constructor, or a backbone that has it.'
        )
    num_layers = len(backbone.gcn) + 2
    if param_name.startswith(f'{prefix}data_bn.'):
        return 0, num_layers
    if param_name.startswith(f'{prefix}gcn.'):
        return int(param_name.removeprefix(prefix).split('.')[1]) + 1, num_layers
    return num_layers - 1, num_layers
