"""TemporalCropResize against the authors' arrays and torch."""

import numpy as np
import pytest
import torch

from stars_mm.datasets.transforms import TemporalCropResize
from stars_mm.datasets.transforms.temporal_crop_resize import random_crop, resize_frames


@pytest.fixture(scope='module')
def golden(data_dir):
    arrays = np.load(data_dir / 'data_ntu.npz')

    def get(key):
        return arrays[key].transpose(3, 1, 2, 0)  # C T V M -> M T V C

    get.valid = int(arrays['valid_frames'])
    get.crop = arrays['random_crop_begin_length']
    return get


@pytest.mark.parametrize('p', ['0.95', '1.0'])
@pytest.mark.parametrize('padded', [True, False])
def test_center_crop_of_the_authors(golden, p, padded):
    raw = golden('raw')
    results = dict(keypoint=raw if padded else raw[:, : golden.valid])
    if padded:
        results['total_frames'] = golden.valid
    found = TemporalCropResize(120, float(p))(results)
    np.testing.assert_allclose(found['keypoint'], golden(f'center_{p}'), rtol=1e-5, atol=1e-5)


def test_random_crop_of_the_authors(golden, monkeypatch):
    begin, length = golden.crop
    found = resize_frames(golden('raw')[:, begin : begin + length], 120)
    np.testing.assert_allclose(found, golden('random_crop'), rtol=1e-5, atol=1e-5)
    # The draw that leads there: p, then the place.
    monkeypatch.setattr('numpy.random.uniform', lambda low, high: (length + 0.5) / golden.valid)
    monkeypatch.setattr('numpy.random.randint', lambda high: begin)
    results = dict(keypoint=golden('raw'), total_frames=golden.valid)
    np.testing.assert_array_equal(TemporalCropResize()(results)['keypoint'], found)


@pytest.mark.parametrize('frames, clip_len', [(1, 64), (2, 1), (119, 120), (120, 120), (300, 120)])
def test_equal_to_torch(frames, clip_len):
    clip = np.random.default_rng(0).standard_normal((2, frames, 5, 3)).astype('f4')
    flat = torch.tensor(clip).permute(0, 2, 3, 1).flatten(0, 2)[:, None]
    wanted = torch.nn.functional.interpolate(
        flat, size=clip_len, mode='linear', align_corners=False
    )
    wanted = wanted.view(2, 5, 3, clip_len).permute(0, 3, 1, 2)
    # torch computes positions in float32: 1e-5 of a frame at 300 frames.
    np.testing.assert_allclose(resize_frames(clip, clip_len), wanted, rtol=1e-4, atol=1e-4)


def test_random_crop_lengths():
    np.random.seed(0)
    crops = np.array([random_crop(100, (0.5, 1.0), 64) for _ in range(4000)])
    begin, length = crops.T
    assert length.min() == 64 and length.max() == 99
    assert (begin >= 0).all() and (begin + length <= 100).all()
    # p < 0.65, which is 30 % of the draws, gives the floor.
    assert abs((length == 64).mean() - 0.30) < 0.03
    shortest = begin[length == 64]
    assert shortest.min() == 0 and shortest.max() == 36
    assert {crop[1] for crop in (random_crop(39, (0.5, 1.0), 64) for _ in range(50))} == {39}
    assert random_crop(1, (0.5, 1.0), 1) == (0, 1)
    assert random_crop(80, (1.0, 1.0), 64) == (0, 80)


@pytest.mark.parametrize('p_interval', [0.95, 0.01, (0.5, 1.0)])
def test_keys(p_interval):
    """Scores stay with their joints, even in a clip of one frame."""
    for frames in (1, 39):
        keypoint = np.random.default_rng(0).random((1, frames, 5, 2)).astype('f2')
        clip = dict(keypoint=keypoint, keypoint_score=keypoint[..., 0], total_frames=frames)
        results = TemporalCropResize(64, p_interval, min_frames=24)(clip)
        assert results['keypoint'].shape == (1, 64, 5, 2)
        assert results['keypoint'].dtype == results['keypoint_score'].dtype == np.float32
        np.testing.assert_array_equal(results['keypoint'][..., 0], results['keypoint_score'])
        assert (results['total_frames'], results['clip_len'], results['num_clips']) == (64, 64, 1)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(clip_len=0), 'clip_len=0'),
        (dict(min_frames=0), 'min_frames=0'),
        (dict(p_interval=1.1), r'p_interval=1\.1'),
        (dict(p_interval=(1.0, 0.5)), r'p_interval=\(1\.0, 0\.5\)'),
    ],
)
def test_arguments_are_checked(kwargs, message):
    with pytest.raises(ValueError, match=message):
        TemporalCropResize(**kwargs)
