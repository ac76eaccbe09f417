"""Patches against loops."""

import pytest
import torch

from stars_mm.models.utils.masking import patchify, unpatchify

SIZES = [(4, 1), (2, 3)]


@pytest.mark.parametrize('t, v', SIZES)
def test_patches_hold_frame_joint_channel_in_this_order(t, v):
    x = torch.randn(2, 8, 6, 3)
    patches = patchify(x, t, v)
    assert patches.shape == (2, 8 // t, 6 // v, t * v * 3)
    for tubelet in range(8 // t):
        for part in range(6 // v):
            values = [
                x[:, tubelet * t + i, part * v + j, c]
                for i in range(t)
                for j in range(v)
                for c in range(3)
            ]
            assert torch.equal(patches[:, tubelet, part], torch.stack(values, dim=1))


@pytest.mark.parametrize('t, v', SIZES)
def test_unpatchify_is_the_inverse(t, v):
    x = torch.randn(2, 8, 6, 3)
    assert torch.equal(unpatchify(patchify(x, t, v), t, v), x)
