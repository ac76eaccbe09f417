import json

import numpy as np
import pytest
from mmaction.registry import MODELS
from mmengine.optim import build_optim_wrapper
from torch import nn

from stars_mm.models.backbones import SkeletonTransformer
from stars_mm.utils.checkpoint import to_official

TINY = dict(embed_dims=32, num_heads=4, num_frames=24, num_joints=5, tubelet_size=4)


def build(model: nn.Module, lr=1e-3, weight_decay=0.05, **paramwise):
    wrapper = dict(
        constructor='mmaction.LayerDecayOptimWrapperConstructor',
        optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.95), weight_decay=weight_decay),
        paramwise_cfg=paramwise,
    )
    return build_optim_wrapper(model, wrapper).optimizer


def settings(model: nn.Module, optimizer) -> dict:
    """Official name → learning rate and weight decay of each parameter; rate
    0 where the optimizer lacks it."""
    given = {
        id(param): (group['lr'], group['weight_decay'])
        for group in optimizer.param_groups
        for param in group['params']
    }
    count = sum(len(group['params']) for group in optimizer.param_groups)
    assert count == len(given)  # none twice
    return to_official(
        {name: given.get(id(param), (0.0, None)) for name, param in model.named_parameters()}
    )


def finetuned() -> nn.Module:
    model = nn.Module()
    model.backbone = SkeletonTransformer(depth=2, **TINY)
    layers = dict(fc1=nn.Linear(160, 2048), bn=nn.BatchNorm1d(2048), fc2=nn.Linear(2048, 7))
    model.cls_head = nn.ModuleDict(layers)
    return model


def stars() -> nn.Module:
    backbone = dict(type='SkeletonTransformer', depth=4, **TINY)
    head = dict(type='NNCLRHead', in_channels=32, hidden_channels=64, queue_size=40)
    return MODELS.build(dict(type='STARS', backbone=backbone, head=head))


def test_finetuning_groups_of_the_reference(data_dir):
    golden = json.loads(str(np.load(data_dir / 'heads_tiny.npz')['finetune/param_groups']))
    model = finetuned()
    optimizer = build(model, lr=1.0, layer_decay=0.8, decay_1d=False)
    found = settings(model, optimizer)
    assert found.keys() == golden.keys()
    for name, wanted in golden.items():
        assert found[name] == pytest.approx(wanted), name


def test_tuning_rates_of_the_reference(data_dir):
    meta = json.loads(str(np.load(data_dir / 'stars_tiny.npz')['meta']))
    golden = meta['tuning_lr_per_parameter']
    model, paramwise = stars(), dict(layer_decay=golden['layer_decay'], num_trainable_layers=2)
    found = settings(model, build(model, golden['base_lr'], 0.01, **paramwise))
    assert found.keys() == golden['lr'].keys()
    trained = to_official({name: param.requires_grad for name, param in model.named_parameters()})
    for name, lr in golden['lr'].items():
        assert found[name][0] == pytest.approx(lr), name
        assert trained[name] == (lr > 0), name
        assert found[name][1] == (0.01 if lr else None), name


def test_refused():
    for options, message in (
        (dict(layer_decy=0.5), r"unknown options \['layer_decy'\].*'layer_decay'"),
        (dict(layer_decay=0.0), 'layer_decay=0.0 must'),
        (dict(layer_decay=1.5), 'layer_decay=1.5 must'),
        (dict(num_trainable_layers=5), 'num_trainable_layers=5 .* 0 and .* 4'),
        (dict(num_trainable_layers=-1), 'num_trainable_layers=-1'),
    ):
        with pytest.raises(ValueError, match=message):
            build(stars(), **options)
    model = nn.Module()
    model.backbone = nn.Linear(2, 2)
    with pytest.raises(TypeError, match='Linear does not say which layer'):
        build(model, layer_decay=0.5)
