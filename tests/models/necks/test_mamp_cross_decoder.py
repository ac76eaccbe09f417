"""The cheap decoder against loops."""

import math

import pytest
import torch
from torch import nn

from stars_mm.models.necks import MAMPCrossDecoder

GRID = dict(num_frames=6, num_joints=4, tubelet_size=3, joint_patch_size=2)  # 2 × 2 tokens


@pytest.fixture
def decoder():
    """Two blocks of 4 channels and 2 heads, all weights drawn, biases and norms too."""
    decoder = MAMPCrossDecoder(3, 4, depth=2, num_heads=2, mlp_ratio=2, out_channels=2, **GRID)
    for param in decoder.parameters():
        nn.init.normal_(param)
    return decoder


def _layer_norm(x, norm):
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    return (x - mean) / (variance + 1e-5).sqrt() * norm.weight + norm.bias


def _linear(x, layer):
    return torch.stack([row.dot(x) for row in layer.weight]) + layer.bias


def _attend(query, context, block):
    attn = block.cross_attn
    q = _linear(query, attn.q)
    keys_values = [_linear(_layer_norm(token, block.norm_context), attn.kv) for token in context]
    out = []
    for head in (slice(0, 2), slice(2, 4)):
        scores = [q[head].dot(kv[:4][head]) / math.sqrt(2) for kv in keys_values]
        weights = torch.stack(scores).exp()
        out.append(sum(w * kv[4:][head] for w, kv in zip(weights / weights.sum(), keys_values)))
    return _linear(torch.cat(out), attn.proj)


def _gelu(x):
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def _predict(decoder, tokens, places, place):
    """One patch (P, ) at ``place`` from kept tokens (K, C) at ``places``."""

    def position(at):
        return decoder.temporal_embed[0, at // 2, 0] + decoder.joint_embed[0, 0, at % 2]

    context = [_linear(t, decoder.embed) + position(at) for t, at in zip(tokens, places)]
    x = decoder.mask_token[0, 0] + position(place)
    for block in decoder.blocks:
        x = x + _attend(_layer_norm(x, block.norm1), context, block)
        hidden = _gelu(_linear(_layer_norm(x, block.norm2), block.mlp.fc1))
        x = x + _linear(hidden, block.mlp.fc2)
    return _linear(_layer_norm(x, decoder.norm), decoder.pred)


def test_each_patch_is_predicted_from_the_kept_tokens_alone(decoder):
    tokens = torch.randn(2, 2, 3)
    ids_keep, ids_hidden = torch.tensor([[3, 0], [1, 2]]), torch.tensor([[2], [0]])
    expected = [
        torch.stack([_predict(decoder, tokens[b], ids_keep[b], at) for at in range(4)])
        for b in range(2)
    ]
    found = decoder.predict_hidden(tokens, ids_keep, ids_hidden)
    assert found.shape == (2, 1, 3 * 2 * 2)
    hidden = torch.stack([expected[0][2], expected[1][0]])[:, None]
    torch.testing.assert_close(found, hidden, rtol=1e-4, atol=1e-5)
    ids_restore = torch.cat((ids_keep, torch.tensor([[1, 2], [3, 0]])), dim=1).argsort(dim=1)
    whole = decoder(tokens, ids_restore)
    torch.testing.assert_close(whole, torch.stack(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    'ratio, hidden, number', [(0.25, 8, 2), (0.3, 9, 3), (0.1, 3, 1), (1, 5, 5)]
)
def test_part_that_is_predicted(ratio, hidden, number):
    decoder = MAMPCrossDecoder(depth=0, predict_ratio=ratio)
    ids_hidden = torch.stack([torch.randperm(20)[:hidden] for _ in range(300)])
    torch.manual_seed(3)
    drawn = decoder.draw_predicted(ids_hidden)
    assert drawn.shape == (300, number)
    for row, given in zip(drawn.tolist(), ids_hidden.tolist()):
        assert len(set(row)) == number and set(row) <= set(given)
    torch.manual_seed(3)
    assert torch.equal(decoder.draw_predicted(ids_hidden), drawn)
    # each place in the order as often as any other
    times = (ids_hidden[:, :, None] == drawn[:, None]).any(-1).float().sum(0)
    share = number / hidden
    assert (times - 300 * share).abs().max() <= 5 * math.sqrt(300 * share * (1 - share))
