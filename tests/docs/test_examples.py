"""The method in one file computes what the package computes."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from stars_mm.datasets.transforms import CenterSkeleton, TemporalCropResize

EXAMPLE = Path(__file__).parents[2] / 'docs/examples/stars_in_one_file.py'


@pytest.fixture(scope='module')
def example():
    return SimpleNamespace(**runpy.run_path(str(EXAMPLE)))


def build(cfg: dict) -> torch.nn.Module:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def copy_layers(ours, layers):
    """The weights of our blocks and last norm, into torch's own."""
    for block, layer in zip(ours.blocks, layers):
        layer.self_attn.in_proj_weight.data = block.attn.qkv.weight
        layer.self_attn.in_proj_bias.data = block.attn.qkv.bias
        for mine, theirs in (
            (block.attn.proj, layer.self_attn.out_proj),
            (block.mlp.fc1, layer.linear1),
            (block.mlp.fc2, layer.linear2),
            (block.norm1, layer.norm1),
            (block.norm2, layer.norm2),
        ):
            theirs.load_state_dict(mine.state_dict())
    layers[-1].load_state_dict(ours.norm.state_dict())


def test_stage_1(example):
    """Of the same weights and draw: the same tokens hidden, the same loss."""
    shape = dict(embed_dims=example.DIMS, num_heads=4)
    backbone = dict(type='SkeletonTransformer', depth=3, **shape)
    backbone |= dict(num_frames=example.T, tubelet_size=example.TUBELET)
    neck, head = dict(type='MAMPDecoder', depth=1, **shape), dict(type='MAMPHead')
    masking = dict(mask_ratio=example.MASK_RATIO, motion_aware_tau=example.TAU)
    model = build(dict(type='MAMP', backbone=backbone, neck=neck, head=head, **masking))
    encoder, decoder = example.Encoder(), example.Decoder()
    for ours, theirs in ((model.backbone, encoder), (model.neck, decoder)):
        theirs.position.data = (ours.temporal_embed + ours.joint_embed).flatten(1, 2)
        copy_layers(ours, theirs.layers)
    kernel = model.backbone.patch_embed.projection
    encoder.embed.weight.data = kernel.weight.permute(0, 2, 3, 1).flatten(1)
    encoder.embed.bias.data = kernel.bias
    decoder.embed.load_state_dict(model.neck.embed.state_dict())
    decoder.mask_token.data = model.neck.mask_token
    decoder.predict.load_state_dict(model.neck.pred.state_dict())

    x = torch.randn(4, example.T, example.V, example.C).cumsum(1)
    noise = torch.rand(4, example.L)
    expected = model.loss(x[:, None, None], noise=noise)['loss']
    torch.testing.assert_close(example.mamp_loss(encoder, decoder, x, noise), expected)


def test_stage_2(example):
    """Of the same weights and queue: the same losses, while the queue fills."""
    sizes = dict(in_channels=example.DIMS, hidden_channels=example.HIDDEN)
    queue = dict(queue_size=example.QUEUE_SIZE, temperature=example.TEMPERATURE)
    head = build(dict(type='NNCLRHead', **sizes, **queue))
    theirs = example.Head()
    theirs.projector.load_state_dict(head.projector[0].state_dict())
    theirs.predictor.load_state_dict(head.predictor.state_dict())
    theirs.queue = head.queue.feats.clone()
    for step in range(3):
        feats = [torch.randn(8, example.DIMS) for _ in range(2)]
        idx = torch.arange(8) + 4 * step  # half of the clips come again
        torch.testing.assert_close(theirs.loss(feats, idx), head.loss(feats, idx)['loss'])


def test_clips(example):
    """Centered, turned, cut and resized like the transforms of the demo."""
    keypoint = torch.randn(2, 40, example.V, 3).cumsum(1).numpy()
    results = dict(keypoint=keypoint, total_frames=40)
    results = CenterSkeleton(center_joint=1, align=(4, 8))(results)
    results = TemporalCropResize(clip_len=example.T, p_interval=0.95)(results)
    found = example.make_view(example.center_and_turn(keypoint), train=False)
    torch.testing.assert_close(found, torch.from_numpy(results['keypoint']), rtol=0, atol=1e-4)


@pytest.mark.slow
def test_it_runs(example, capsys):
    found = example.main(['--clips-per-class', '3', '--steps', '6', '4'])
    assert list(found) == ['random', 'mamp', 'stars']
    assert all(0 <= accuracy <= 100 for accuracy in found.values())
    assert 'stage 2, step 3: loss' in capsys.readouterr().out
