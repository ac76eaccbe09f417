"""warp_time against the plain code of docs/experiments.md, clip by clip."""

import numpy as np
import pytest
import torch

from stars_mm.datasets.transforms.temporal_crop_resize import resize_frames
from stars_mm.utils.time_warp import warp_time


def positions(clip, share, smoothing):
    """Where each frame of a clip (M, T, V, C) is taken from, (T, ), in frames."""
    T = clip.shape[1]
    speed = np.zeros(T - 1)
    for t in range(T - 1):
        around = slice(max(t - smoothing, 0), t + smoothing + 2)
        stay = [person for person in clip if all(frame.any() for frame in person[around])]
        if stay:
            steps = np.concatenate([person[t + 1] - person[t] for person in stay])
            speed[t] = np.sqrt((steps**2).sum(-1).mean())
    window = np.ones(2 * smoothing + 1)
    speed = np.convolve(speed, window, 'same') / np.convolve(np.ones_like(speed), window, 'same')
    if not speed.any():
        return np.arange(T)
    lasts = share * speed / speed.mean() + 1 - share
    end = np.concatenate([[0], lasts.cumsum()])
    return np.interp(np.linspace(0, end[-1], T), end, np.arange(T))


def warp(clip, share=0.7, smoothing=3):
    clip = clip.astype(np.float64)
    out = np.zeros(clip.shape)
    for t, position in enumerate(positions(clip, share, smoothing)):
        before = min(int(position), clip.shape[1] - 2)
        weight = position - before
        for m, person in enumerate(clip):
            start, end = person[before], person[before + 1]
            if start.any() and end.any():
                out[m, t] = start * (1 - weight) + end * weight
            else:
                out[m, t] = start if weight <= 0.5 else end
    return out


def batch(B=5, M=2, T=24):
    """Walks that stop and hurry; one who comes late, leaves, or is away for a while."""
    rng = np.random.default_rng(0)
    hurry = rng.choice([0.01, 0.1, 1], (B, 1, T // 4, 1, 1)).repeat(4, axis=2)
    x = (rng.normal(size=(B, M, T, 5, 3)) * hurry).cumsum(2) + rng.normal(size=(B, M, 1, 5, 3))
    x[0, 1] = 0
    x[1, 1, :6] = 0
    x[2, 0, 15:] = 0
    x[3, 1, 7:9] = 0
    return x.astype(np.float32)


@pytest.mark.parametrize('share, smoothing', [(0.7, 3), (1.0, 1), (0.4, 0), (0.0, 3)])
def test_clip_by_clip(share, smoothing):
    x = batch()
    found = warp_time(torch.from_numpy(x), share, smoothing).numpy()
    expected = np.stack([warp(clip, share, smoothing) for clip in x])
    if share:
        assert np.abs(found - x).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=2e-4)  # of clips of up to 20 units
    np.testing.assert_array_equal((found == 0).all((3, 4)), (expected == 0).all((3, 4)))


def test_motion_goes_evenly():
    """By share 1, a point that waits and then goes moves by the same step in each frame."""
    x = torch.zeros(1, 1, 31, 2, 3)
    x[0, 0, :, :, 0] = 1 + torch.cat([torch.zeros(20), torch.arange(11)])[:, None]
    found = warp_time(x, 1.0, 0)[0, 0, :, 0, 0]
    torch.testing.assert_close(found, torch.linspace(1, 11, 31))


def test_coming_and_going_is_no_motion():
    x = torch.ones(1, 2, 30, 4, 3)
    x[:, 1, 5:12] = 0
    resized = torch.from_numpy(resize_frames(x[0].numpy(), 64))[None]  # fades in and out
    assert ((resized > 0) & (resized < 1)).any()
    for clip in (x, resized, x[:, :, :1], x[:, :, :2], x * 0):
        assert torch.equal(warp_time(clip), clip)


def test_turned_and_mirrored_clips():
    x = torch.from_numpy(batch())
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    joints = torch.tensor([3, 1, 4, 0, 2])
    expected = (warp_time(x) @ turn)[..., joints, :]
    torch.testing.assert_close(warp_time((x @ turn)[..., joints, :]), expected, atol=2e-4, rtol=0)
