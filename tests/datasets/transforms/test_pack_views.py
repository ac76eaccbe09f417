"""PackViews and SkeletonPreprocessor against the transforms one by one."""

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate

from stars_mm.datasets.collation import PlannedViews, collate_clips, collate_planned_views
from stars_mm.datasets.transforms import PackViews
from stars_mm.models.data_preprocessors import SkeletonPreprocessor

CENTER = dict(type='CenterSkeleton', center_joint=1)
ALIGN = dict(type='CenterSkeleton', center_joint=1, align=(0, 4))
CROP = dict(type='TemporalCropResize', clip_len=8, min_frames=4)
MIDDLE = dict(type='TemporalCropResize', clip_len=8, p_interval=0.9)
MIRROR = dict(type='RandomMirror', left=(0, 2), right=(4, 3))
TURN = dict(type='RandomRot', theta=(0.3, 1.0, 0.0))
UPRIGHT = dict(type='CenterSkeleton', center_joint=1, align=(0, 4), upright=(1, 3))
WARP = dict(type='MotionTimeWarp', smoothing=1)
META = dict(type='PackActionInputs', meta_keys=('frame_dir',))


def clips(channels=3, dtype='f2'):
    """Clips of all sorts: long, short, with absences, with padding."""
    rng = np.random.default_rng(0)
    found = []
    for number, (persons, frames) in enumerate(
        [(1, 30), (2, 9), (3, 5), (1, 8), (2, 1), (2, 12), (1, 7)]
    ):
        keypoint = rng.normal(3, 1, (persons, frames, 5, channels))
        clip = dict(keypoint=keypoint.astype(dtype), total_frames=frames)
        found.append(dict(clip, frame_dir=f'c{number}', label=number))
    found[0]['keypoint'][0, :4] = 0  # comes later
    found[1]['keypoint'][0] = 0  # never there
    found[1]['keypoint'][1, 5:7] = 0  # absent for a while
    found[2]['keypoint'][:2] = 0
    found[3]['keypoint'][:] = 0  # nobody
    found[5]['total_frames'] = 9  # the rest is padding
    return found


def one_by_one(transforms, num_views, slots, clip):
    center = [step for step in transforms if step['type'] == CENTER['type']]
    rest = [step for step in transforms if step not in center]
    steps = [
        *center,
        dict(type='MultiView', num_views=num_views, transforms=rest),
        dict(type='FormatGCNInput', **slots),
        META,
    ]
    return Compose([TRANSFORMS.build(step) for step in steps])(clip)


ZERO, LOOP = dict(num_person=2, mode='zero'), dict(num_person=2, mode='loop')


@pytest.mark.parametrize(
    'channels, dtype, transforms, num_views, slots',
    [
        (3, 'f2', [CENTER, CROP, TURN], 1, ZERO),
        (3, 'f4', [ALIGN, CROP, MIRROR, TURN], 2, LOOP),
        (3, 'f8', [ALIGN, TURN, MIRROR, CROP, MIRROR], 2, dict(num_person=4, mode='zero')),
        (3, 'f2', [CROP], 1, dict(num_person=1)),
        (3, 'f2', [MIDDLE], 2, ZERO),
        (2, 'f4', [CENTER, CROP, TURN, MIRROR], 1, LOOP),
        (3, 'f2', [UPRIGHT, TURN, CROP, MIRROR, WARP], 2, dict(num_person=3, mode='loop')),
        (3, 'f4', [CENTER, CROP, WARP, MIRROR, TURN], 1, dict(num_person=4)),
        (2, 'f8', [MIDDLE, WARP], 1, dict(num_person=3)),
    ],
)
def test_views_are_those_of_the_transforms(channels, transforms, num_views, slots, dtype):
    pack = PackViews(transforms, num_views, **slots, meta_keys=('frame_dir',))
    np.random.seed(4)
    expected = [one_by_one(transforms, num_views, slots, clip) for clip in clips(channels, dtype)]
    after = np.random.random()
    np.random.seed(4)
    samples = [pack(clip) for clip in clips(channels, dtype)]
    assert np.random.random() == after  # as many draws

    found = SkeletonPreprocessor()(collate_clips(samples), training=True)
    views = torch.stack([sample['inputs'] for sample in expected])
    assert found['inputs'].dtype == torch.float32
    torch.testing.assert_close(found['inputs'], views.float(), rtol=1e-5, atol=1e-5)
    absent = (views == 0).all(-1)
    assert ((found['inputs'] == 0).all(-1) == absent).all()
    for sample, plain in zip(found['data_samples'], expected):
        assert sample.frame_dir == plain['data_samples'].frame_dir
        assert torch.equal(sample.gt_label, plain['data_samples'].gt_label)
    for sample, plain in zip(samples, expected):
        assert sample['inputs'].shape == plain['inputs'].shape


def test_no_mixed_precision_in_coordinates():
    batch = collate_planned_views(
        [PackViews([ALIGN, CROP, WARP, TURN])(clip)['inputs'] for clip in clips()]
    )
    data = dict(inputs=batch, data_samples=[])
    plain = SkeletonPreprocessor()(dict(data))['inputs']
    with torch.autocast('cpu', torch.bfloat16):
        mixed = SkeletonPreprocessor()(dict(data))['inputs']
    assert torch.equal(mixed, plain)


def test_workers_and_mmengine_s_collation_will_do():
    pack = PackViews([CENTER, CROP, WARP, dict(MIRROR, prob=1.0)])
    samples = [pack(clip) for clip in clips()]
    assert samples[0]['inputs'].frames.dtype == torch.float16  # as stored
    options = dict(batch_size=3, num_workers=1, collate_fn=collate_clips)
    batches = list(torch.utils.data.DataLoader(samples, **options))
    assert [len(batch['data_samples']) for batch in batches] == [3, 3, 1]
    for number, batch in enumerate(batches):
        direct = pseudo_collate(samples[3 * number : 3 * number + 3])
        assert isinstance(batch['inputs'], PlannedViews)
        found, expected = (SkeletonPreprocessor()(data)['inputs'] for data in (batch, direct))
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    'options, entries, message',
    [
        (dict(transforms=[dict(type='ScaleSkeleton')]), {}, 'plan ScaleSkeleton.*before PackViews'),
        (dict(num_views=0), {}, 'num_views=0'),
        (dict(num_person='2'), {}, "num_person='2'"),
        (dict(mode='repeat'), {}, "mode='repeat'"),
        (dict(transforms=[CENTER]), {}, 'Put TemporalCropResize among'),
        (dict(transforms=[CROP, CENTER]), {}, 'Put it first'),
        (dict(transforms=[CROP, CROP]), {}, 'cropped twice'),
        (dict(transforms=[WARP, CROP]), {}, 'before TemporalCropResize'),
        (dict(transforms=[CROP, WARP, WARP]), {}, 'redrawn twice'),
        (dict(transforms=[dict(CENTER, center_joint=9), CROP]), {}, "'c0' has 5 joints"),
        ({}, dict(keypoint_score=np.ones((1, 30, 5))), "'c0' has keypoint_score"),
    ],
)
def test_wrong_options_and_clips_that_do_not_fit(options, entries, message):
    with pytest.raises((TypeError, ValueError), match=message):
        PackViews(**dict(dict(transforms=[CROP]), **options))(dict(clips()[0], **entries))


def test_clips_that_make_no_batch():
    first, second = clips()[:2]
    for other, message in (
        ([dict(CROP, clip_len=9)], r'\(1, 2, 8, 5, 3\), \(1, 2, 9'),
        ([CROP, dict(WARP, share=0.4)], r'treat differently: \(0\.7, 0\.4\)'),
        ([CROP], r'treat differently: \(0\.7, 0\.0\)'),
    ):
        both = PackViews([CROP, WARP])(first), PackViews(other)(second)
        with pytest.raises(ValueError, match=message):
            collate_planned_views([clip['inputs'] for clip in both])
