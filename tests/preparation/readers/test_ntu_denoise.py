"""Choosing the actors among the bodies that a sensor tracked."""

import numpy as np
import pytest

from stars_mm.preparation.readers.ntu_denoise import choose_actors, motion
from stars_mm.preparation.readers.ntu_parse import Body, TrackedBodies


def clip(bodies, num_frames, num_empty=0):
    bodies = [Body(start, joints) for start, joints in bodies]
    return choose_actors(TrackedBodies(bodies, num_frames, num_empty))


def test_motion():
    """1 m² along x, 4 along y, none along z."""
    joints = np.zeros((2, 25, 3))
    joints[0], joints[1] = (1, 2, 5), (-1, -2, 5)
    assert motion(joints) == 5


@pytest.mark.parametrize('length, kept', [(11, 1), (12, 2)])
def test_ghosts_by_length(ntu, length, kept):
    main, ghost = ntu.person(40, 1, sway=0.3), ntu.person(length, 2)
    keypoint, done = clip([(0, main), (3, ghost)], 40)
    assert keypoint.shape == (kept, 40, 25, 3)
    np.testing.assert_array_equal(keypoint[0], main)
    assert done['short'] == 2 - kept
    if kept == 2:
        np.testing.assert_array_equal(keypoint[1, 3:15], ghost)
        assert not keypoint[1, :3].any() and not keypoint[1, 15:].any()


def test_a_body_alone_stays_however_short_and_wide(ntu):
    body = ntu.person(5, width=2.0)
    keypoint, done = clip([(0, body)], 5, num_empty=2)
    np.testing.assert_array_equal(keypoint, body[None])
    assert done == dict(empty=2, third=0)


# 0.8 of 1.6 m is 1.28 m: a half width of 0.64 m.
@pytest.mark.parametrize('width, wide', [(0.637, 0), (0.643, 1)])
def test_wide_bodies(ntu, width, wide):
    main, other = ntu.person(40, 1), ntu.person(40, 2, width=width)
    keypoint, done = clip([(0, main), (0, other)], 40)
    assert done['wide'] == wide and len(keypoint) == 2 - wide


@pytest.mark.parametrize('num_wide, wide', [(27, 0), (28, 1)])
def test_the_share_of_wide_frames(ntu, num_wide, wide):
    other = ntu.person(40, 2)
    other[:num_wide, :, 0] *= 4  # 28 / 40 = 0.7 is over 0.69754
    keypoint, done = clip([(0, ntu.person(40, 1)), (0, other)], 40)
    assert done['wide'] == wide


def test_wide_frames_do_not_make_the_first_actor(ntu):
    calm, noisy = ntu.person(40, 1, sway=0.2), ntu.person(40, 2, sway=0.01)
    noisy[:10, :, 0] *= 9
    assert motion(noisy) > motion(calm) > motion(noisy[10:])
    keypoint, _ = clip([(0, noisy), (0, calm)], 40)
    np.testing.assert_array_equal(keypoint[0], calm)
    np.testing.assert_array_equal(keypoint[1], noisy)


def test_the_last_of_wide_bodies_stays(ntu):
    bodies = [ntu.person(20, seed, width=2.0) for seed in (1, 2, 3)]
    keypoint, done = clip([(0, body) for body in bodies], 20)
    np.testing.assert_array_equal(keypoint, bodies[2][None])
    assert done['wide'] == 2


def test_the_longest_of_short_bodies_stays(ntu):
    bodies = [ntu.person(length, length) for length in (5, 9, 7)]
    keypoint, done = clip([(0, bodies[0]), (2, bodies[1]), (11, bodies[2])], 18)
    np.testing.assert_array_equal(keypoint, bodies[1][None])
    assert done['rescued'] == 1 and done['uncovered'] == 9


def test_one_actor_under_two_ids_beside_another(ntu):
    first = ntu.person(20, 1, sway=0.5)
    again, other = ntu.person(20, 2, sway=0.1), ntu.person(40, 3, sway=0.3)
    keypoint, done = clip([(0, first), (0, other), (20, again)], 40)
    np.testing.assert_array_equal(keypoint[0], np.concatenate([first, again]))
    np.testing.assert_array_equal(keypoint[1], other)
    assert not done['third']


def test_the_third_body_is_left_out(ntu):
    bodies = [ntu.person(30, i, sway=sway) for i, sway in enumerate((0.1, 0.5, 0.3))]
    keypoint, done = clip([(0, body) for body in bodies], 30)
    np.testing.assert_array_equal(keypoint, np.stack([bodies[1], bodies[2]]))
    assert done['third'] == 1


def test_frames_of_dropped_bodies_alone_go(ntu):
    main, ghost = ntu.person(30, 1), ntu.person(8, 2)
    keypoint, done = clip([(0, ghost), (8, main)], 38)
    np.testing.assert_array_equal(keypoint, main[None])
    assert done['uncovered'] == 8
