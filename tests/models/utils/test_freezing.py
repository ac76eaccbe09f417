"""Every way to freeze, by what real steps leave unchanged."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

SIZES = dict(embed_dims=16, depth=4, num_heads=2, num_frames=8, num_joints=25)
DROPS = dict(drop_rate=0.2, attn_drop_rate=0.2, drop_path_rate=0.5)
ENCODER = dict(type='SkeletonTransformer', **SIZES, **DROPS)
GRAPH = dict(layout='nturgb+d', mode='spatial')
STGCN = dict(type='STGCN', graph_cfg=GRAPH, gcn_adaptive='init', tcn_type='mstcn', tcn_dropout=0.3)
STGCN.update(base_channels=8, num_stages=4, inflate_stages=[3], down_stages=[3])
BLOCKS = dict(SkeletonTransformer='blocks.', STGCN='gcn.')


def layer_of(name: str, backbone: dict) -> int:
    """The contract: what comes before the blocks 0, block i → i + 1, all else 5."""
    for start in ('patch_embed', 'temporal_embed', 'joint_embed', 'data_bn'):
        if name.startswith(f'backbone.{start}'):
            return 0
    start = f'backbone.{BLOCKS[backbone["type"]]}'
    return int(name.removeprefix(start).split('.')[0]) + 1 if name.startswith(start) else 5


NNCLR = dict(type='NNCLRHead', in_channels=16, hidden_channels=8, queue_size=16)
PROBE = dict(type='LinearProbeHead', num_classes=2, in_channels=16)


def build(backbone, head=NNCLR, probe=False, **paramwise):
    """STARS, or the linear probe, and its optimizer."""
    model = dict(type='STARS', backbone=backbone, head=head)
    if probe:
        model = dict(type='FrozenRecognizerGCN', backbone=backbone, cls_head=PROBE)
    adam = dict(type='AdamW', lr=0.05, weight_decay=0.1)
    wrapper = dict(type='OptimWrapper', optimizer=adam, paramwise_cfg=paramwise)
    wrapper['constructor'] = 'LayerDecayOptimWrapperConstructor'
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(model)
        return model, build_optim_wrapper(model, wrapper)


def train_steps(model, optim_wrapper, steps=2) -> None:
    for _ in range(steps):
        model.train()
        samples = [
            ActionDataSample(metainfo=dict(sample_idx=i)).set_gt_label(i % 2) for i in range(4)
        ]
        loss = model.loss(torch.randn(4, 1, 2, 8, 25, 3), samples)
        optim_wrapper.update_params(loss.get('loss', loss.get('loss_cls')))


#: How it is frozen, and up to which layer.
CASES = dict(
    frozen_stages=(dict(ENCODER, frozen_stages=2), {}, 2),
    embeddings=(dict(ENCODER, frozen_stages=0), {}, 0),
    all_stages=(dict(ENCODER, frozen_stages=4), {}, 5),
    no_trainable_layer=(ENCODER, dict(num_trainable_layers=0), 4),
    both=(dict(ENCODER, frozen_stages=3), dict(num_trainable_layers=2), 3),
    probe=(ENCODER, dict(probe=True), 5),
    graph_layers=(STGCN, dict(num_trainable_layers=2), 2),
    graph_probe=(STGCN, dict(probe=True), 5),
)


@pytest.mark.parametrize('case', CASES)
def test_frozen_stays_and_the_rest_learns(case):
    backbone, options, last_frozen = CASES[case]
    model, wrapper = build(backbone, **options)
    before = copy.deepcopy(model.state_dict())
    train_steps(model, wrapper)
    in_optimizer = {id(param) for group in wrapper.param_groups for param in group['params']}

    def frozen(name):
        return name.startswith('backbone.') and layer_of(name, backbone) <= last_frozen

    for name, param in model.named_parameters():
        assert param.requires_grad == (id(param) in in_optimizer) == (not frozen(name)), name
    for name, value in model.state_dict().items():
        if frozen(name):  # statistics of batch norms, too
            assert torch.equal(value, before[name]), name
        elif 'queue' not in name and name in dict(model.named_parameters()):
            assert not torch.equal(value, before[name]), name
    if backbone is STGCN:
        assert any(frozen(name) and 'running_mean' in name for name in before)


@pytest.mark.parametrize('case', ['all_stages', 'graph_probe'])
@pytest.mark.parametrize('copied', [lambda model: model, copy.deepcopy, ExponentialMovingAverage])
def test_computes_as_in_evaluation(case, copied):
    """Without dropout, each clip by itself; in a copy of the model, too."""
    backbone, options, _ = CASES[case]
    model = copied(build(backbone, **options)[0])
    model = getattr(model, 'module', model)
    x = torch.randn(4, 2, 8, 25, 3)
    expected = model.eval().backbone(x)
    model.train()
    assert torch.equal(model.backbone(x), expected)
    assert not expected.requires_grad
    alone = torch.cat([model.train().backbone(clip[None]) for clip in x])
    torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5)
    if hasattr(model.backbone, 'encode'):  # as stage 1 calls it
        found = model.train().backbone.encode(x[:, 0])
        assert torch.equal(found, model.eval().backbone.encode(x[:, 0]))


def test_a_part_computes_as_in_evaluation_and_the_teacher_alike():
    moco = dict(type='MoCoHead', in_channels=16, hidden_channels=8, queue_size=16)
    model, wrapper = build(STGCN, head=moco, num_trainable_layers=2)
    train_steps(model, wrapper, 1)
    modes, seen = [], {}
    for part in (model.backbone.data_bn, *model.backbone.gcn):
        part.register_forward_hook(lambda part, args, out: modes.append(part.training))
    for who, backbone in (('student', model.backbone), ('teacher', model.teacher.module.backbone)):
        backbone.gcn[1].register_forward_hook(
            lambda module, args, out, who=who: seen.update({who: out})
        )
    train_steps(model, wrapper, 1)
    assert modes == [False, False, False, True, True]
    assert torch.equal(seen['student'], seen['teacher'])
    for name, value in model.teacher.module.named_buffers():
        if 'running_mean' in name and 'gcn.0.' in name:
            assert torch.equal(value, model.get_buffer(name))
