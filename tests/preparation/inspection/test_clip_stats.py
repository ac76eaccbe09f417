import numpy as np
import pytest

from stars_mm.preparation.inspection.clip_stats import JUMP_OF_MEDIAN, JUMP_OF_SIZE, measure_clip


def walk(persons=1, frames=20, joints=7, dims=3, seed=0):
    """Bodies about 2 large, whose joints move some hundredths a frame."""
    rng = np.random.default_rng(seed)
    body = rng.uniform(-0.6, 0.6, (persons, 1, joints, dims))
    steps = rng.uniform(0.01, 0.03, (persons, frames, joints, dims))
    return (body + np.cumsum(steps, 1)).astype(np.float32)


def measure(keypoint, **clip):
    return measure_clip(dict(keypoint=keypoint, **clip))


def size_by_loops(keypoint):
    sizes = []
    for frame in keypoint.reshape(-1, *keypoint.shape[2:]):
        joints = frame[frame.any(axis=1)]
        if len(joints):
            sizes.append(np.linalg.norm(joints.max(axis=0) - joints.min(axis=0)))
    return float(np.median(sizes))


def jumps_by_loops(keypoint):
    """(frame, person, joint) of every jump, by the rule as it is written."""
    steps = {}
    for m, t, v in np.ndindex(keypoint.shape[:3]):
        one, other = keypoint[m, t - 1, v], keypoint[m, t, v]
        if t and one.any() and other.any():
            steps[t, m, v] = float(np.linalg.norm(other - one))
    usual = float(np.median(list(steps.values())))
    bound = max(JUMP_OF_SIZE * size_by_loops(keypoint), JUMP_OF_MEDIAN * usual)
    return {place for place, step in steps.items() if step > bound}


@pytest.mark.parametrize('dims', [2, 3])
def test_against_loops(dims):
    keypoint = walk(persons=2, dims=dims)
    keypoint[1, :5] = 0  # comes later
    keypoint[0, 8, 3] = 0  # a joint that is not seen
    keypoint[1, 9, 2] += 1.5
    keypoint[0, 9, 1] += 3
    keypoint[0, 15:] += 2.5  # and stays there
    stats = measure(keypoint)
    assert stats.size == pytest.approx(size_by_loops(keypoint), rel=1e-5)
    expected = jumps_by_loops(keypoint)
    assert {(9, 0, 1), (10, 0, 1), (9, 1, 2), (15, 0, 4)} <= expected
    assert stats.jumps == len({frame for frame, _, _ in expected}) == 3
    assert stats.jump[:3] in {(0, 9, 1), (0, 10, 1)}
    assert stats.jump.sizes == pytest.approx(
        np.linalg.norm(keypoint[0, stats.jump.frame, 1] - keypoint[0, stats.jump.frame - 1, 1])
        / stats.size
    )
    assert (stats.persons, stats.empty_frames, stats.still) == (2, 0, False)


def test_large_steps_are_no_jumps_where_all_are_large():
    keypoint = walk()
    keypoint[:, ::2] += 1.5  # a step of more than half a body every time
    stats = measure(keypoint)
    assert not jumps_by_loops(keypoint)
    assert (stats.jumps, stats.jump) == (0, None)


def test_who_is_there():
    keypoint = np.concatenate([walk(), np.zeros_like(walk()), walk()])
    keypoint[:, 4:7] = 0
    keypoint[:, 18:] = 0
    assert measure(keypoint).persons == 1  # one is absent, one repeated
    assert measure(keypoint).empty_frames == 5
    short = measure(keypoint, total_frames=18)
    assert (short.frames, short.unused, short.empty_frames) == (18, 2, 3)
    nobody = measure(keypoint[:, 4:], total_frames=3)
    assert (nobody.persons, nobody.empty_frames, nobody.still) == (0, 3, True)
    assert np.isnan(nobody.size)
    assert measure(walk()[:, :1]).still and not measure(walk()[:, :2]).still


def test_the_digest_is_that_of_the_coordinates():
    keypoint = walk(persons=2)
    same = [
        keypoint.astype(np.float64),
        keypoint.astype('>f4'),
        np.asfortranarray(keypoint),
        np.concatenate([keypoint, np.zeros_like(keypoint[:1])]),
    ]
    digest = measure(keypoint).digest
    assert {measure(other).digest for other in same} == {digest}
    longer = np.concatenate([keypoint, keypoint], 1)
    assert measure(longer, total_frames=20).digest == digest
    moved = keypoint.copy()
    moved[1, 7, 3, 2] = np.nextafter(moved[1, 7, 3, 2], np.float32(9))
    others = [moved, longer, keypoint[:1], keypoint[::-1], keypoint.reshape(2, 20, 21, 1)]
    assert len({measure(o).digest for o in [keypoint, *others]}) == 6


def test_a_confidence_is_no_coordinate():
    pixels = 300 * walk(dims=2) + 500
    score = np.random.default_rng(0).uniform(size=pixels.shape[:3] + (1,))
    scored = measure(np.concatenate([pixels, score], -1))
    assert scored.scored and not measure(walk()).scored
    assert scored.size == pytest.approx(measure(pixels).size)
    assert scored.reach == pytest.approx(pixels.max())


@pytest.mark.parametrize('kind', ['f2', 'i4'])
def test_types_of_numbers(kind):
    keypoint = (walk() * 30 + 60).astype(kind)
    with np.errstate(all='raise'):
        stats = measure(keypoint)
    assert stats.size == pytest.approx(size_by_loops(keypoint.astype(np.float64)), rel=1e-3)
