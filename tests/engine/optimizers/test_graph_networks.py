"""Layers of mmaction2's graph networks: rates, freezing, statistics."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from stars_mm.engine.optimizers import get_layer_depth
from stars_mm.preparation.layouts import NW_UCLA

GRAPH = dict(layout=NW_UCLA, mode='spatial')
SMALL = dict(base_channels=8, num_stages=4, inflate_stages=[3], down_stages=[3], graph_cfg=GRAPH)
BACKBONES = dict(
    stgcn=dict(type='STGCN', **SMALL),
    stgcnpp=dict(type='STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn', **SMALL),
    aagcn=dict(type='AAGCN', num_person=1, **SMALL),
)
HEAD = dict(type='NNCLRHead', in_channels=16, hidden_channels=8, queue_size=16)


@pytest.fixture(params=BACKBONES)
def model(request):
    torch.manual_seed(0)
    return MODELS.build(dict(type='STARS', backbone=BACKBONES[request.param], head=HEAD))


def build_optimizer(model, **paramwise):
    return build_optim_wrapper(
        model,
        dict(
            constructor='mmaction.LayerDecayOptimWrapperConstructor',
            optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1),
            paramwise_cfg=paramwise,
        ),
    ).optimizer


def train_a_step(model, optimizer):
    model.train()
    samples = [ActionDataSample(metainfo=dict(sample_idx=i)) for i in range(4)]
    loss = model.loss(torch.randn(4, 2, 1, 8, 20, 3), samples)['loss']
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def layer_of(name: str) -> int:
    """The contract: what comes before the blocks 0, block i → i + 1, else the
    last of depth + 2 = 6."""
    if name.startswith('backbone.gcn.'):
        return int(name.split('.')[2]) + 1
    return 0 if name.startswith('backbone.data_bn.') else 5


def test_rates_fall_from_the_head_to_the_input(model):
    optimizer = build_optimizer(model, layer_decay=0.5)
    rates = {
        id(param): group['lr'] for group in optimizer.param_groups for param in group['params']
    }
    assert len(rates) == len(list(model.parameters()))
    for name, param in model.named_parameters():
        expected = 0.1 * 0.5 ** (5 - layer_of(name))
        assert rates[id(param)] == pytest.approx(expected), name
    assert {layer_of(name) for name, _ in model.named_parameters()} == {0, 1, 2, 3, 4, 5}


def test_frozen_part_keeps_weights_and_statistics(model):
    optimizer = build_optimizer(model, layer_decay=0.5, num_trainable_layers=2)
    before = copy.deepcopy(model.state_dict())
    for _ in range(2):
        train_a_step(model, optimizer)
    after = model.state_dict()
    for name, value in before.items():
        if name.startswith('backbone.') and layer_of(name) <= 2:
            assert torch.equal(after[name], value), name
        elif 'running_' in name:
            assert not torch.equal(after[name], value), name
    for name, param in model.named_parameters():
        assert param.requires_grad == (layer_of(name) > 2), name


def test_frozen_part_normalises_by_its_statistics(model):
    """The same output for a clip whatever else is in the batch."""
    build_optimizer(model, num_trainable_layers=0)
    x = torch.randn(4, 1, 8, 20, 3)
    model.train()
    together = model.backbone(x)
    alone = torch.cat([model.backbone(clip[None]) for clip in x])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_teacher_treats_the_frozen_part_alike():
    head = dict(type='MoCoHead', in_channels=16, hidden_channels=8, queue_size=16)
    model = MODELS.build(dict(type='STARS', backbone=BACKBONES['stgcnpp'], head=head))
    optimizer = build_optimizer(model, num_trainable_layers=2)
    train_a_step(model, optimizer)
    seen = {}
    for who, backbone in (('student', model.backbone), ('teacher', model.teacher.module.backbone)):
        backbone.gcn[1].register_forward_hook(
            lambda module, args, out, who=who: seen.update({who: out})
        )
    train_a_step(model, optimizer)
    assert torch.equal(seen['student'], seen['teacher'])
    names = [
        name
        for name, value in model.teacher.module.named_buffers()
        if 'running_mean' in name and 'gcn.0.' in name
    ]
    assert names
    for name in names:
        assert torch.equal(model.teacher.module.get_buffer(name), model.get_buffer(name))


def test_hooks_are_not_doubled(model):
    for _ in range(3):
        build_optimizer(model, num_trainable_layers=1)
    assert len(model.backbone.data_bn._forward_pre_hooks) == 1
    assert not model.backbone.gcn[3]._forward_pre_hooks


def test_more_blocks_than_there_are(model):
    with pytest.raises(ValueError, match='num_trainable_layers=5 .* 0 and .* 4'):
        build_optimizer(model, num_trainable_layers=5)


def test_a_backbone_that_tells_its_layers_is_asked():

    class Own(nn.Module):
        def get_layer_depth(self, param_name, prefix=''):
            return len(param_name), len(prefix)

    assert get_layer_depth(Own(), 'ab', 'c.d') == (2, 3)


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield
