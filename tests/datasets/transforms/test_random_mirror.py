"""RandomMirror against a mirror written out joint by joint."""

import numpy as np
import pytest

from stars_mm.datasets.transforms import CenterSkeleton, RandomMirror

SIDES = dict(left=(1, 3), right=(2, 4))


def clip(seed=0):
    return np.random.default_rng(seed).standard_normal((2, 4, 5, 3)).astype('f4')


def test_left_becomes_right():
    points = clip()
    before = points.copy()
    found = RandomMirror(**SIDES, prob=1)(dict(keypoint=points))['keypoint']
    np.testing.assert_array_equal(points, before)  # the data set's own clip
    for joint, counterpart in ((0, 0), (1, 2), (2, 1), (3, 4), (4, 3)):
        np.testing.assert_array_equal(found[..., joint, 0], -points[..., counterpart, 0])
        np.testing.assert_array_equal(found[..., joint, 1:], points[..., counterpart, 1:])


def test_twice_is_nothing_and_aligned_stays_aligned():
    mirror = RandomMirror(**SIDES, prob=1)
    aligned = CenterSkeleton(0, align=(1, 2))(dict(keypoint=clip()))
    once = mirror(dict(aligned))['keypoint']
    np.testing.assert_array_equal(mirror(dict(keypoint=once))['keypoint'], aligned['keypoint'])
    again = CenterSkeleton(0, align=(1, 2))(dict(keypoint=once))['keypoint']
    np.testing.assert_allclose(again, once, atol=1e-5)


def test_scores_go_with_their_joints():
    points, scores = clip()[..., :2], clip(1)[..., 0]
    found = RandomMirror(**SIDES, prob=1)(dict(keypoint=points, keypoint_score=scores))
    assert found['keypoint'].shape == (2, 4, 5, 2)
    for joint, counterpart in ((0, 0), (1, 2), (2, 1), (3, 4), (4, 3)):
        np.testing.assert_array_equal(found['keypoint_score'][..., joint], scores[..., counterpart])
    kept = RandomMirror(**SIDES, prob=0)(dict(keypoint=points, keypoint_score=scores))
    assert kept['keypoint_score'] is scores


def test_sides_of_a_layout():
    mirror = RandomMirror(layout='coco-17', prob=1)
    points = np.arange(17.0)[None, None, :, None] * [1, 1]
    found = mirror(dict(keypoint=points))['keypoint'][0, 0]
    # nose, left eye, right eye, …: odd joints are left, the next one right
    expected = [0] + [joint + 1 if joint % 2 else joint - 1 for joint in range(1, 17)]
    np.testing.assert_array_equal(found[:, 1], expected)
    np.testing.assert_array_equal(found[:, 0], np.negative(expected))


def test_share_of_mirrored_clips():
    np.random.seed(0)
    points, mirror = clip(), RandomMirror(**SIDES, prob=0.25)
    hits = [
        not np.array_equal(mirror(dict(keypoint=points))['keypoint'], points) for _ in range(2000)
    ]
    assert abs(np.mean(hits) - 0.25) < 0.04  # four standard deviations


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(left=(1,)), 'the sides or the layout'),
        (dict(layout='coco-17', left=(1,), right=(2,)), 'the sides or the layout'),
        (dict(left=(1, 3), right=(2,)), 'left=.*counterpart'),
        (dict(left=(1, 2), right=(2, 4)), 'left=.*stand twice'),
        (dict(left=(), right=()), 'left=.*by number'),
        (dict(left=(-1,), right=(2,)), 'left=.*by number'),
        (dict(SIDES, prob=1.5), 'prob=1.5'),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomMirror(**arguments)


def test_joints_that_a_clip_lacks():
    with pytest.raises(ValueError, match="'c7' has 5 joints, 0 to 4"):
        RandomMirror((1,), (5,))(dict(keypoint=clip(), frame_dir='c7'))
