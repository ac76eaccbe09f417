"""RandomMirror against a mirror written out joint by joint."""

import numpy as np
import pytest

from stars_mm.datasets.transforms import RandomMirror

SIDES = dict(left=(1, 3), right=(2, 4))


def clip(seed=0):
    return np.random.default_rng(seed).standard_normal((2, 4, 5, 3)).astype('f4')


def test_left_becomes_right():
    points, scores = clip(), clip(1)[..., 0]
    before = points.copy()
    found = RandomMirror(**SIDES, prob=1)(dict(keypoint=points, keypoint_score=scores))
    np.testing.assert_array_equal(points, before)  # the data set's own clip
    for joint, counterpart in ((0, 0), (1, 2), (2, 1), (3, 4), (4, 3)):
        mirrored, own = found['keypoint'][..., joint, :], points[..., counterpart, :]
        np.testing.assert_array_equal(mirrored, own * np.float32([-1, 1, 1]))
        np.testing.assert_array_equal(found['keypoint_score'][..., joint], scores[..., counterpart])
    kept = RandomMirror(**SIDES, prob=0)(dict(keypoint=points, keypoint_score=scores))
    assert kept['keypoint_score'] is scores


def test_sides_of_a_layout():
    mirror = RandomMirror(layout='coco-17', prob=1)
    points = np.arange(17.0)[None, None, :, None] * [1, 1]
    found = mirror(dict(keypoint=points))['keypoint'][0, 0]
    # nose, left eye, right eye, …: odd joints are left, the next one right
    expected = [0] + [joint + 1 if joint % 2 else joint - 1 for joint in range(1, 17)]
    np.testing.assert_array_equal(found, np.transpose([np.negative(expected), expected]))


def test_share_of_mirrored_clips():
    np.random.seed(0)
    points, mirror = clip(), RandomMirror(**SIDES, prob=0.25)
    found = [mirror(dict(keypoint=points))['keypoint'] for _ in range(2000)]
    share = np.mean([not np.array_equal(one, points) for one in found])
    assert abs(share - 0.25) < 0.04  # four standard deviations


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(left=(1,)), 'the sides or the layout'),
        (dict(layout='coco-17', left=(1,), right=(2,)), 'the sides or the layout'),
        (dict(left=(1, 3), right=(2,)), 'left=.*counterpart'),
        (dict(left=(1, 2), right=(2, 4)), 'left=.*stand twice'),
        (dict(left=(-1,), right=(2,)), 'left=.*by number'),
        (dict(SIDES, prob=1.5), 'prob=1.5'),
        (dict(left=(1,), right=(5,)), "'c7' has 5 joints, 0 to 4"),
    ],
)
def test_wrong_options_and_clips_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomMirror(**arguments)(dict(keypoint=clip(), frame_dir='c7'))
