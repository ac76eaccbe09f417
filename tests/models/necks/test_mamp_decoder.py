"""The decoder against a loop."""

import pytest
import torch
from torch import nn

from stars_mm.models.necks import MAMPDecoder
from stars_mm.models.utils.masking import random_masking


@pytest.mark.parametrize('depth', [0, 2])
def test_every_token_takes_its_own_place(depth):
    grid = dict(num_frames=6, num_joints=4, tubelet_size=3, joint_patch_size=2)
    decoder = MAMPDecoder(6, 8, depth=depth, num_heads=2, out_channels=2, **grid)
    ids_keep, ids_restore, mask = random_masking(torch.zeros(3, 2, 2, 12), 0.4, torch.rand(3, 4))
    tokens = torch.randn(3, ids_keep.shape[1], 6)

    rows = []
    for b in range(3):
        row = []
        for token in range(4):
            value = decoder.mask_token[0, 0]
            if mask[b, token] == 0:
                value = decoder.embed(tokens[b, ids_keep[b].tolist().index(token)])
            value = value + decoder.temporal_embed[0, token // 2, 0]
            row.append(value + decoder.joint_embed[0, 0, token % 2])
        rows.append(torch.stack(row))
    layers = nn.Sequential(*decoder.blocks, decoder.norm, decoder.pred)
    found = decoder(tokens, ids_restore)
    assert found.shape == (3, 4, 3 * 2 * 2)
    torch.testing.assert_close(found, layers(torch.stack(rows)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('depth', [0, 1, 2])
def test_hidden_tokens_alone(depth):
    decoder = MAMPDecoder(6, 8, depth=depth, num_heads=2, num_frames=8, num_joints=5)
    ids_keep, ids_restore, mask = random_masking(torch.zeros(3, 2, 5, 12), 0.6, torch.rand(3, 10))
    tokens = torch.randn(3, 4, 6)
    ids_hidden = mask.nonzero()[:, 1].reshape(3, 6).flip(1)  # in any order
    whole = decoder(tokens, ids_restore)
    found = decoder.predict_hidden(tokens, ids_keep, ids_hidden)
    expected = torch.stack([row[ids] for row, ids in zip(whole, ids_hidden)])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_initialization():
    decoder = MAMPDecoder(num_frames=400, num_joints=100)
    for embed in (decoder.mask_token, decoder.temporal_embed, decoder.joint_embed):
        assert embed.std().item() == pytest.approx(0.02, rel=0.15)
    assert len(decoder.blocks) == 5
