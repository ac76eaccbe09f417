from mmaction.models import AAGCN, STGCN
from torch import nn


def get_layer_depth(backbone: nn.Module, param_name: str, prefix: str = '') -> tuple[int, int]:
    """Layer of a parameter, told by the backbone or, for mmaction2's graph
    networks, by :func:`graph_layer_depth`.

    Args:
        backbone (nn.Module): A backbone with a method ``get_layer_depth``,
            or mmaction2's ``STGCN`` (ST-GCN++ included) or ``AAGCN``.
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
    if isinstance(backbone, (STGCN, AAGCN)):
        return graph_layer_depth(backbone, param_name, prefix)
    raise TypeError(
        f'{type(backbone).__name__} does not say which layer a parameter belongs to '
        '(get_layer_depth), which layer_decay and num_trainable_layers need. Use the default '
        'constructor, or a backbone that has it.'
    )


def graph_layer_depth(backbone: nn.Module, param_name: str, prefix: str = '') -> tuple[int, int]:
    """Layer of a parameter of a network that consists of ``data_bn`` and the
    blocks ``gcn``, as mmaction2's do; see :func:`get_layer_depth`."""
    num_layers = len(backbone.gcn) + 2
    name = param_name[len(prefix) :]
    if param_name.startswith(prefix):
        if name.startswith('data_bn.'):
            return 0, num_layers
        if name.startswith('gcn.'):
            return int(name.split('.')[1]) + 1, num_layers
    return num_layers - 1, num_layers
