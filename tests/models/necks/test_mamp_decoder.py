"""The decoder against a loop."""

import pytest
import torch
from torch import nn

from stars_mm.models.necks import MAMPDecoder
from stars_mm.models.utils.masking import random_masking


@pytest.mark.parametrize('depth', [0, 2])
def test_every_token_takes_its_own_place(depth):
    decoder = MAMPDecoder(
        in_channels=6,
        embed_dims=8,
        depth=depth,
        num_heads=2,
        out_channels=2,
        num_frames=6,
        num_joints=4,
        tubelet_size=3,
        joint_patch_size=2,
    )
    Tp, Vp, B = 2, 2, 3
    ids_keep, ids_restore, mask = random_masking(torch.zeros(B, Tp, Vp, 12), 0.4, torch.rand(B, 4))
    tokens = torch.randn(B, ids_keep.shape[1], 6)

    expected = []
    for b in range(B):
        row = []
        for token in range(Tp * Vp):
            value = decoder.mask_token[0, 0]
            if mask[b, token] == 0:
                place = ids_keep[b].tolist().index(token)
                value = tokens[b, place] @ decoder.embed.weight.t() + decoder.embed.bias
            row.append(
                value
                + decoder.temporal_embed[0, token // Vp, 0]
                + decoder.joint_embed[0, 0, token % Vp]
            )
        expected.append(torch.stack(row))
    expected = (
        nn.Sequential(*decoder.blocks, decoder.norm)(torch.stack(expected))
        @ decoder.pred.weight.t()
        + decoder.pred.bias
    )

    found = decoder(tokens, ids_restore)
    assert found.shape == (B, 4, 3 * 2 * 2)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('depth', [0, 1, 2])
def test_hidden_tokens_alone(depth):
    decoder = MAMPDecoder(
        in_channels=6, embed_dims=8, depth=depth, num_heads=2, num_frames=8, num_joints=5
    )
    ids_keep, ids_restore, _ = random_masking(torch.zeros(3, 2, 5, 12), 0.6, torch.rand(3, 10))
    tokens = torch.randn(3, 4, 6)
    ids_hidden = torch.stack(
        [
            torch.tensor([i for i in torch.randperm(10).tolist() if i not in kept])
            for kept in ids_keep.tolist()
        ]
    )
    whole = decoder(tokens, ids_restore)
    found = decoder.predict_hidden(tokens, ids_keep, ids_hidden)
    expected = torch.stack([row[ids] for row, ids in zip(whole, ids_hidden)])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_initialisation():
    decoder = MAMPDecoder(num_frames=400, num_joints=100)
    for embed in (decoder.mask_token, decoder.temporal_embed, decoder.joint_embed):
        assert embed.std().item() == pytest.approx(0.02, rel=0.15)
    assert len(decoder.blocks) == 5
