"""The benchmark of segments: its measures by loops, its recordings frame by frame."""

import numpy as np
import pytest
import segment_results as bench

from stars_mm.apis.inputs import InputClip


def match_by_loops(found, truth, least):
    """Frame sets, greedily from the first predicted segment on."""

    def runs(labels):
        all_runs = []
        for frame, label in enumerate(labels):
            if all_runs and all_runs[-1][0] == label and frame - 1 in all_runs[-1][1]:
                all_runs[-1][1].add(frame)
            else:
                all_runs.append((label, {frame}))
        return [run for run in all_runs if run[0] != bench.NONE]

    true, predicted = runs(truth), runs(found)
    hit, right = [False] * len(true), 0
    for label, frames in predicted:
        shares = {
            n: len(frames & own) / len(frames | own)
            for n, (other, own) in enumerate(true)
            if other == label
        }
        best = max(shares, key=lambda n: (shares[n], -n), default=None)
        if best is not None and shares[best] >= least and not hit[best]:
            hit[best], right = True, right + 1
    return right, len(predicted) - right, len(true) - right


@pytest.mark.parametrize('seed', range(20))
def test_matches_as_loops_do(seed):
    rng = np.random.default_rng(seed)
    names = np.array([bench.NONE, 'a', 'b'], object)
    truth = names[np.repeat(rng.integers(0, 3, 8), rng.integers(1, 9, 8))]
    found = np.roll(truth, rng.integers(-3, 4))
    noisy = rng.random(len(found)) < 0.1
    found[noisy] = names[rng.integers(0, 3, noisy.sum())]
    assert bench.match_segments(found, truth) == match_by_loops(found, truth, 0.5)


def test_half_is_enough_and_once():
    truth = np.array(['a'] * 8 + [bench.NONE] * 4, object)
    found = np.array(['a'] * 4 + [bench.NONE] + ['a'] * 3 + ['b'] * 4, object)
    assert bench.match_segments(found, truth) == (1, 2, 0)


def test_nobody_jumps_in_a_joined_recording():
    rng = np.random.default_rng(0)
    clips = [
        InputClip(label, rng.normal(5 * n, 0.01, (1, 6 + n, 4, 3)).astype('f4'), None, label)
        for n, label in enumerate('abc')
    ]
    joined, truth = bench.join(clips)
    lengths = [6, 10, 7, 10, 8]
    expected = np.repeat(['a', bench.UNCOUNTED, 'b', bench.UNCOUNTED, 'c'], lengths)
    assert truth.tolist() == expected.tolist()
    middle = joined.keypoint[0].mean(axis=1)  # (T, 3)
    assert abs(np.diff(middle[:, [0, 2]], axis=0)).max() < 0.05
    assert middle[-1, 1] == pytest.approx(10, abs=0.1)  # heights are as they were
    np.testing.assert_allclose(
        joined.keypoint[0, 16:23, 0, 1:2] - joined.keypoint[0, 16, 0, 1],
        clips[1].keypoint[0, :, 0, 1:2] - clips[1].keypoint[0, 0, 0, 1],
        atol=1e-6,
    )
