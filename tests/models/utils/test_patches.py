"""Patches against loops."""

import pytest
import torch

from stars_mm.models.utils.masking import patchify, unpatchify


@pytest.mark.parametrize('t, v', [(4, 1), (2, 3)])
def test_patches_hold_frame_joint_channel_in_this_order(t, v):
    x = torch.randn(2, 8, 6, 3)
    patches = patchify(x, t, v)
    assert patches.shape == (2, 8 // t, 6 // v, t * v * 3)
    for tubelet in range(8 // t):
        for part in range(6 // v):
            frames = x[:, tubelet * t : (tubelet + 1) * t]
            values = frames[:, :, part * v : (part + 1) * v].flatten(1)
            assert torch.equal(patches[:, tubelet, part], values)
    assert torch.equal(unpatchify(patches, t, v), x)
