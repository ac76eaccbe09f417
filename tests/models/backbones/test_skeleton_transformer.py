"""The encoder against a naive one, and its contract."""

import math

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from stars_mm.models.backbones import SkeletonTransformer


def _naive_tokens(model, x):
    """Embed every token of x (B, T, V, C) by a loop over the token grid."""
    t, v = model.tubelet_size, model.joint_patch_size
    weight = model.patch_embed.projection.weight  # (D, C, t, v)
    tokens = []
    for i in range(model.num_frames // t):
        for j in range(model.num_joints // v):
            patch = x[:, i * t : (i + 1) * t, j * v : (j + 1) * v]  # (B, t, v, C)
            token = torch.einsum('btvc,dctv->bd', patch, weight)
            tokens.append(
                token
                + model.patch_embed.projection.bias
                + model.temporal_embed[0, i, 0]
                + model.joint_embed[0, 0, j]
            )
    return torch.stack(tokens, dim=1)


def _naive_encode(model, x, ids_keep=None):
    tokens = _naive_tokens(model, x)
    if ids_keep is not None:
        tokens = torch.stack([row[ids] for row, ids in zip(tokens, ids_keep)])
    return model.norm(nn.Sequential(*model.blocks)(tokens))


@pytest.mark.parametrize(
    'changes',
    [dict(), dict(num_joints=6, joint_patch_size=3, tubelet_size=2), dict(in_channels=2, depth=0)],
)
def test_tokens_positions_and_their_order(encoder, changes):
    model = encoder(**changes)
    x = torch.randn(3, 8, model.num_joints, model.in_channels)
    expected = _naive_encode(model, x)
    torch.testing.assert_close(model.encode(x), expected, rtol=1e-5, atol=1e-5)

    found = model(x[:, None])
    grid = 8 // model.tubelet_size, model.num_joints // model.joint_patch_size
    expected = expected.unflatten(1, grid).permute(0, 3, 1, 2)[:, None]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_kept_tokens_are_a_selection_made_after_embedding(encoder):
    model = encoder()
    x = torch.randn(3, 8, 5, 3)
    ids_keep = torch.stack([torch.randperm(10)[:4] for _ in range(3)])
    found = model.encode(x, ids_keep)
    expected = _naive_encode(model, x, ids_keep)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weight, params = torch.randn_like(found), list(model.parameters())
    grads = torch.autograd.grad((found * weight).sum(), params)
    expected = torch.autograd.grad((expected * weight).sum(), params)
    torch.testing.assert_close(grads, expected, rtol=1e-4, atol=1e-5)


def test_each_distinct_person_is_encoded_once(encoder, encoded_rows):
    model, x = encoder(), torch.randn(5, 2, 8, 5, 3)
    x[1, 1] = x[3, 1] = x[4] = 0  # absent
    x[2, 1] = x[2, 0]
    expected = _naive_encode(model, x.flatten(0, 1))
    rows = encoded_rows(model)
    found = model(x)
    assert rows == [2 + 1 + 1 + 1 + 1]  # all absent slots are one
    tokens = found.permute(0, 1, 3, 4, 2).reshape(10, 10, 16)
    torch.testing.assert_close(tokens, expected, rtol=0, atol=2e-6)

    weight, params = torch.randn_like(tokens), list(model.parameters())
    grads = torch.autograd.grad((tokens * weight).sum(), params)
    expected = torch.autograd.grad((expected * weight).sum(), params)
    torch.testing.assert_close(grads, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize('rate', ['drop_rate', 'attn_drop_rate', 'drop_path_rate'])
def test_equal_persons_are_dropped_apart_in_training(encoder, encoded_rows, rate):
    model = encoder(**{rate: 0.5})
    x = torch.randn(8, 1, 8, 5, 3).expand(-1, 2, -1, -1, -1)
    rows = encoded_rows(model)
    found = model(x)
    assert not torch.equal(found[:, 0], found[:, 1])
    found = model.eval()(x)
    assert torch.equal(found[:, 0], found[:, 1])
    assert rows == [16, 8]


def test_drop_path_grows_linearly(encoder):
    model = encoder(depth=5, drop_path_rate=0.4)
    rates = [getattr(block.drop_path, 'drop_prob', 0.0) for block in model.blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_layer_of_each_parameter(encoder):
    model = encoder(depth=12)
    expected = {'patch_embed.projection.weight': 0, 'temporal_embed': 0, 'joint_embed': 0}
    expected.update({'blocks.0.norm1.weight': 1, 'blocks.11.mlp.fc2.weight': 12, 'norm.weight': 13})
    for name, layer in expected.items():
        assert model.get_layer_depth(name) == (layer, 14)
        assert model.get_layer_depth(f'backbone.{name}', 'backbone.') == (layer, 14)
    assert model.get_layer_depth('head.norm.weight', 'backbone.') == (13, 14)


def test_number_of_parameters():
    encoder = SkeletonTransformer()
    decoder = MODELS.build(dict(type='MAMPDecoder'))

    def count(module):
        return sum(param.numel() for param in module.parameters())

    assert round(count(encoder) / 1e6, 1) == 6.3
    assert round((count(encoder) + count(decoder)) / 1e6, 1) == 10.4


def test_initialization(encoder):
    model = encoder(num_frames=400, embed_dims=64, num_joints=50)
    for embed in (model.temporal_embed, model.joint_embed):
        assert embed.std().item() == pytest.approx(0.02, rel=0.1)
    conv = model.patch_embed.projection
    bound = 1 / math.sqrt(3 * 4)  # PyTorch's default for a fan-in of 12
    assert 0.9 * bound < conv.weight.abs().max() <= bound
    assert conv.bias.any()


def test_gated_tokens_know_their_place(encoder):
    model = encoder(gate_scale=3.0, depth=0)
    assert set(model.temporal_gate.abs().unique().tolist()) == {3.0}
    assert set(model.joint_gate.unique().tolist()) == {-1.0, 1.0}
    x = torch.randn(2, 8, model.num_joints, model.in_channels)
    place = (model.temporal_embed + model.joint_embed).flatten(1, 2)
    gate = (model.temporal_gate * model.joint_gate).flatten(1, 2)
    expected = model.norm((_naive_tokens(model, x) - place) * gate + place)
    torch.testing.assert_close(model.encode(x), expected, rtol=1e-5, atol=1e-5)
    ids = torch.tensor([[3, 0], [1, 2]])
    kept = expected[torch.arange(2)[:, None], ids]
    torch.testing.assert_close(model.encode(x, ids), kept, rtol=1e-5, atol=1e-5)
    assert model.get_layer_depth('temporal_gate')[0] == model.get_layer_depth('joint_gate')[0] == 0


def test_mean_share_and_residual_scale(encoder):
    x = torch.randn(2, 8, 5, 3)
    shift = torch.randn(2, 1, 5, 3)
    for share, same in ((1.0, True), (0.5, False), (0.0, False)):
        model = encoder(mean_share=share)
        found, shifted = model.encode(x), model.encode(x + shift)
        assert torch.allclose(found, shifted, atol=1e-5) == same
    model = encoder(mean_share=0.5)
    half = x - 0.5 * x.mean(dim=1, keepdim=True)
    torch.testing.assert_close(model.encode(x), _naive_encode(model, half), rtol=1e-5, atol=1e-5)
    model = encoder(residual_scale=0.0)  # attention and MLP add their biases, 0, alone
    expected = model.norm(_naive_tokens(model, x))
    torch.testing.assert_close(model.encode(x), expected, rtol=1e-5, atol=1e-5)
