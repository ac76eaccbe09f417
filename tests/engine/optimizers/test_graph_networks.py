"""Layers of mmaction2's graph networks."""

import pytest
from mmaction.registry import MODELS
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from stars_mm.engine.optimizers import get_layer_depth
from stars_mm.preparation.layouts import NW_UCLA

GRAPH = dict(layout=NW_UCLA, mode='spatial')
SMALL = dict(base_channels=8, num_stages=4, inflate_stages=[3], down_stages=[3], graph_cfg=GRAPH)
BACKBONES = dict(
    stgcnpp=dict(type='STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn', **SMALL),
    aagcn=dict(type='AAGCN', num_person=1, **SMALL),
)
HEAD = dict(type='NNCLRHead', in_channels=16, hidden_channels=8, queue_size=16)


def layer_of(name: str) -> int:
    """The contract: what comes before the blocks 0, block i → i + 1, else the
    last of depth + 2 = 6."""
    if name.startswith('backbone.gcn.'):
        return int(name.split('.')[2]) + 1
    return 0 if name.startswith('backbone.data_bn.') else 5


@pytest.mark.parametrize('backbone', BACKBONES)
def test_rates_fall_from_the_head_to_the_input(backbone):
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(dict(type='STARS', backbone=BACKBONES[backbone], head=HEAD))
    wrapper = dict(
        constructor='mmaction.LayerDecayOptimWrapperConstructor',
        optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1),
        paramwise_cfg=dict(layer_decay=0.5),
    )
    optimizer = build_optim_wrapper(model, wrapper).optimizer
    rates = {
        id(param): group['lr'] for group in optimizer.param_groups for param in group['params']
    }
    assert len(rates) == len(list(model.parameters()))
    for name, param in model.named_parameters():
        expected = 0.1 * 0.5 ** (5 - layer_of(name))
        assert rates[id(param)] == pytest.approx(expected), name
    assert {layer_of(name) for name, _ in model.named_parameters()} == {0, 1, 2, 3, 4, 5}


def test_a_backbone_that_tells_its_layers_is_asked():

    class Own(nn.Module):
        def get_layer_depth(self, param_name, prefix=''):
            return len(param_name), len(prefix)

    assert get_layer_depth(Own(), 'ab', 'c.d') == (2, 3)
