"""Transformer layers against their formulas."""

import math

import pytest
import torch
from torch import nn

from stars_mm.models.utils.transformer import (
    MLP,
    CrossBlock,
    SelfAttention,
    TransformerBlock,
    compile_blocks,
    init_transformer_weights,
)


@pytest.mark.parametrize('qkv_bias', [True, False])
def test_attention_is_softmax_attention(qkv_bias):
    attention = SelfAttention(12, 3, qkv_bias)
    x = torch.randn(2, 5, 12)
    weight, bias = attention.qkv.weight, attention.qkv.bias
    assert (bias is not None) == qkv_bias
    expected = torch.zeros(2, 5, 12)
    for b in range(2):
        for head in range(3):
            query, key, value = (
                x[b] @ weight[at : at + 4].t() + (bias[at : at + 4] if qkv_bias else 0)
                for at in (head * 4, 12 + head * 4, 24 + head * 4)
            )
            for i in range(5):
                scores = torch.stack([query[i].dot(k) for k in key])
                scores = (scores / math.sqrt(4)).exp()
                expected[b, i, head * 4 : head * 4 + 4] = sum(
                    s * v for s, v in zip(scores / scores.sum(), value)
                )
    expected = expected @ attention.proj.weight.t() + attention.proj.bias
    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-6)


def test_mlp_has_the_exact_gelu():
    mlp = MLP(4, 9)
    x = torch.randn(3, 4) * 3
    hidden = x @ mlp.fc1.weight.t() + mlp.fc1.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    expected = hidden @ mlp.fc2.weight.t() + mlp.fc2.bias
    torch.testing.assert_close(mlp(x), expected)


def test_block_is_pre_norm():
    block = TransformerBlock(8, 2, mlp_ratio=3)
    for norm in (block.norm1, block.norm2):
        nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    assert block.mlp.fc1.out_features == 24

    def layer_norm(x, norm):
        centered = x - x.mean(-1, keepdim=True)
        variance = centered.square().mean(-1, keepdim=True)
        return centered / (variance + 1e-5).sqrt() * norm.weight + norm.bias

    x = torch.randn(2, 4, 8)
    expected = x + block.attn(layer_norm(x, block.norm1))
    expected = expected + block.mlp(layer_norm(expected, block.norm2))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize('qkv_bias', [True, False])
def test_tokens_that_are_only_looked_at(qkv_bias):
    block = TransformerBlock(8, 2, qkv_bias=qkv_bias)
    x = torch.randn(3, 7, 8)
    whole, part = block(x), block(x, start=4)
    assert part.shape == (3, 3, 8)
    torch.testing.assert_close(part, whole[:, 4:], rtol=0, atol=1e-6)
    weight, params = torch.randn_like(part), list(block.parameters())
    found = torch.autograd.grad((part * weight).sum(), params)
    expected = torch.autograd.grad((whole[:, 4:] * weight).sum(), params)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_compiled_blocks_are_the_same():
    """Traced forwards and backwards; no compiler is needed for that."""
    blocks = dict(a=TransformerBlock(8, 2), b=nn.Linear(8, 8), c=CrossBlock(8, 2))
    model = nn.ModuleDict(blocks)
    x, names = torch.randn(3, 7, 8), list(model.state_dict())
    params = list(model['a'].parameters())
    expected = model['a'](x, start=2)
    expected_grads = torch.autograd.grad(expected.square().sum(), params)
    crossed = model['c'](x[:, 2:], x[:, :2])
    assert compile_blocks(model, backend='aot_eager') == 2
    assert list(model.state_dict()) == names
    found = model['a'](x, start=2)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model['c'](x[:, 2:], x[:, :2]), crossed)
    grads = torch.autograd.grad(found.square().sum(), params)
    torch.testing.assert_close(grads, expected_grads, rtol=1e-5, atol=1e-5)
    torch.compiler.reset()


def test_attention_dropout_only_in_training():
    attention, plain = SelfAttention(8, 2, attn_drop=0.5), SelfAttention(8, 2)
    plain.load_state_dict(attention.state_dict())
    x = torch.randn(1, 6, 8)
    assert not torch.equal(attention(x), attention(x))
    torch.testing.assert_close(attention.eval()(x), plain(x))


def test_drop_path_skips_whole_samples():
    block = TransformerBlock(8, 2, drop_path=0.5)
    x = torch.randn(1, 4, 8).expand(400, -1, -1)
    out = block(x)
    skipped = (out == x).flatten(1).all(dim=1).float().mean()
    assert 0.15 < skipped < 0.35  # both branches: a quarter of the samples
    assert torch.allclose(block.eval()(x), block(x[:1]), atol=1e-6)


def test_initialization():
    layers = nn.Sequential(
        nn.Linear(60, 30), nn.LayerNorm(30), nn.Linear(30, 7, bias=False), nn.Conv2d(3, 5, 1)
    )
    nn.init.normal_(layers[1].weight)
    before = layers[3].weight.clone()
    layers.apply(init_transformer_weights)
    for linear in (layers[0], layers[2]):
        bound = math.sqrt(6 / sum(linear.weight.shape))
        assert 0.9 * bound < linear.weight.abs().max() <= bound
    assert not layers[0].bias.any()
    assert (layers[1].weight == 1).all() and not layers[1].bias.any()
    assert torch.equal(layers[3].weight, before)
