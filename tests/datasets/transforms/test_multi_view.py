"""MultiView: views side by side on the clips axis, in order."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from stars_mm.datasets.transforms import MultiView, RandomRot, TemporalCropResize


def clip(frames=30, **extra):
    keypoint = np.random.default_rng(0).standard_normal((2, frames, 5, 3)).astype('f4')
    return dict(keypoint=keypoint, total_frames=frames, frame_dir='c7', label=4, **extra)


STEPS = [dict(type='TemporalCropResize', clip_len=8, min_frames=4), dict(type='RandomRot')]


@pytest.mark.parametrize('num_views', [1, 3])
def test_views_land_on_the_clips_axis_in_order(num_views):
    np.random.seed(1)
    scores = np.ones((2, 30, 5), 'f4')
    results = MultiView(num_views, STEPS)(clip(keypoint_score=scores))
    assert results['num_clips'] == num_views
    assert results['total_frames'] == 8 * num_views
    assert results['keypoint_score'].shape == (2, 8 * num_views, 5)
    assert results['label'] == 4
    del results['keypoint_score']
    found = TRANSFORMS.build(dict(type='FormatGCNInput'))(results)['keypoint']
    assert found.shape == (num_views, 2, 8, 5, 3)  # clips, M, T, V, C
    np.random.seed(1)
    crop, rot = TemporalCropResize(8, min_frames=4), RandomRot()
    for view in found:
        np.testing.assert_array_equal(view, rot(crop(clip()))['keypoint'])


def test_what_is_refused():
    assert MultiView(2, [lambda results: None])(clip()) is None
    lengths = iter((8, 9))
    with pytest.raises(ValueError, match="'c7' has views of different shapes"):
        MultiView(2, [lambda results: TemporalCropResize(next(lengths))(results)])(clip())
    for wrong in (dict(num_views=0), dict(transforms=dict(type='RandomRot')), dict(transforms=[3])):
        with pytest.raises(ValueError, match=f'{next(iter(wrong))}='):
            MultiView(**wrong)
