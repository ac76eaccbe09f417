"""Segments by an exhaustive search, windows by loops, recordings of several actions."""

import itertools

import numpy as np
import pytest

from stars_mm.apis import FewShotRecognizer
from stars_mm.apis.segments import best_segments, window_lengths, window_spans
from stars_mm.apis.window_comparison import WindowComparison
from tests.apis.conftest import skeleton


def worth(chosen, spans, values, T, none, cost):
    """What a choice of windows is worth, frame by frame; None where two overlap."""
    owner = [None] * T
    for number in chosen:
        for frame in range(*spans[number]):
            if owner[frame] is not None:
                return None
            owner[frame] = number
    frames = (none if number is None else values[number].max() for number in owner)
    return sum(frames) - cost * len(chosen)


@pytest.mark.parametrize('seed', range(6))
def test_the_best_of_all_choices(seed):
    rng = np.random.default_rng(seed)
    T, none, cost = 12, 0.4, 0.5
    spans = [tuple(sorted(rng.choice(T + 1, 2, replace=False).tolist())) for _ in range(9)]
    values = rng.uniform(-1, 1, (9, 3))
    choices = [c for n in range(6) for c in itertools.combinations(range(9), n)]
    found = [worth(c, spans, values, T, none, cost) for c in choices]
    chosen = choices[max((w, n) for n, w in enumerate(found) if w is not None)[1]]
    expected = np.full(T, -1)
    for number in chosen:
        expected[slice(*spans[number])] = values[number].argmax()
    got = np.full(T, -1)
    for begin, end, label, _ in best_segments(spans, values, T, none, cost):
        got[begin:end] = label
    assert got.tolist() == expected.tolist()


def test_neighbors_of_one_class_are_one_segment():
    spans = [(0, 4), (4, 10), (10, 13), (14, 16)]
    values = np.array([[0.9, 0], [0.6, 0], [0, 0.8], [0, 0.7]])
    found = best_segments(spans, values, 18, none=0.1, cost=0.1)
    assert [one[:3] for one in found] == [(0, 10, 0), (10, 13, 1), (14, 16, 1)]
    assert found[0][3] == pytest.approx((4 * 0.9 + 6 * 0.6) / 10)
    assert best_segments([], np.empty((0, 2)), 5, none=0.1, cost=0) == []


def test_windows_are_all_over_the_recording():
    present = np.ones(50, bool)
    present[20:35] = False
    spans = window_spans(present, [10, 60], step=4)
    expected = {(0, 50)}  # the long one is cut
    for begin in [*range(0, 40, 4), 40]:
        if sum(present[begin : begin + 10]) >= 5:
            expected.add((begin, begin + 10))
    assert spans == sorted(expected)
    assert window_lengths([30, 30, 30]) == [30]
    assert window_lengths([1, 2]) == [8]
    assert window_lengths(range(100, 111)) == [101, 107]


@pytest.fixture(scope='module')
def learned(encode, recordings):
    return FewShotRecognizer(encode).learn(recordings, layout='ntu-25')


@pytest.fixture(scope='module')
def long_recording():
    """Wave, nobody, kick: unseen takes."""
    parts = [skeleton('wave', 2), np.zeros((1, 30, 25, 3), 'f4'), skeleton('kick', 3)]
    return np.concatenate(parts, axis=1)


def test_says_what_is_done_when(learned, long_recording, tmp_path):
    learned.save(tmp_path / 'actions.npz')
    again = FewShotRecognizer.load(tmp_path / 'actions.npz', device='cpu')
    assert again.frames == [40, 47] * 3
    found = again.segments(long_recording, fps=20)
    assert [one['label'] for one in found] == ['wave', 'kick']
    for one, (begin, end) in zip(found, [(0, 54), (84, 145)]):
        shared = min(end, one['end']) - max(begin, one['begin'])
        assert shared > 0.6 * (end - begin) and one['name'] == 'array'
        assert one['begin_time'] == one['begin'] / 20 and one['end_time'] == one['end'] / 20


def test_windows_are_as_long_as_the_examples_in_seconds(encode, recordings, long_recording):
    """Every second frame, said so, gives segments of half the frames."""
    learned = FewShotRecognizer(encode).learn(recordings, layout='ntu-25', fps=30)
    found = learned.segments(long_recording[:, ::2], fps=15)
    assert [one['label'] for one in found] == ['wave', 'kick']
    assert found[1]['begin'] == pytest.approx(42, abs=4)


def test_lengths_go_with_the_examples(encode, recordings):
    learned = FewShotRecognizer(encode).learn(recordings, layout='ntu-25')
    learned.add({'jump': skeleton('kick', 5)}).remove('wave')
    assert learned.frames == [40, 47] * 2 + [75]
    features = FewShotRecognizer(encode).learn_features(
        learned.features, learned.examples, learned.classes
    )
    features.space = learned.space
    with pytest.raises(ValueError, match='how long are the examples'):
        features.segments(skeleton('sit', 0), layout='ntu-25')


def test_windows_are_compared_as_clips_are(learned, encode):
    """Those that are encoded are the most similar by geometry, and their similarities those of the
    clips one by one."""
    clips = list(encode.read([skeleton('wave', n) for n in range(5)], layout='ntu-25'))
    chosen, found = WindowComparison(learned)([clips[:3], clips[3:]], keep=1)
    one_by_one = [learned.similarities(learned.place([clip])).numpy()[0] for clip in clips]
    np.testing.assert_allclose(found, np.stack(one_by_one)[chosen], atol=1e-5)
    names = learned.space.parts
    positions = [names.index(name) for name in ('positions', 'distances')]
    near = []
    for clip in clips:
        feature = learned.place([clip])[0].view(len(names), -1)[positions]
        examples = learned.features.view(len(learned.features), len(names), -1)[:, positions]
        near.append(float((examples * feature).sum((1, 2)).max()))
    assert chosen == [int(np.argmax(near[:3])), 3 + int(np.argmax(near[3:]))]
    everything, _ = WindowComparison(learned)([clips[:3], clips[3:]], keep=9)
    assert everything == [0, 1, 2, 3, 4]
