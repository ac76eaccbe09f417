"""Frame by frame: labels, their changes, people who come and go, streams that falter."""

import itertools

import numpy as np
import pytest

from stars_mm.apis import FewShotRecognizer, LiveRecognizer
from tests.apis.conftest import skeleton


@pytest.fixture(scope='module')
def learned(encode, recordings):
    return FewShotRecognizer(encode).learn(recordings, layout='ntu-25').remove('sit')


def watch(live, frames, times=None):
    """The changes that frames (T, V, C), or None, bring."""
    found = (live.push(frame, time) for frame, time in zip(frames, times or itertools.repeat(None)))
    return [change for change in found if change]


def labels(changes):
    return [change['label'] for change in changes]


def test_says_when_it_changes(learned):
    """Wave, nobody for two seconds, kick: said once each, and that nothing is going on between."""
    live = LiveRecognizer(learned)
    frames = [*skeleton('wave', 2)[0], *[None] * 60, *skeleton('kick', 3)[0]]
    changes = watch(live, frames)
    assert labels(changes) == ['wave', None, 'kick']
    assert [change['known'] for change in changes] == [True, False, True]
    wave, nothing, kick = (change['time'] for change in changes)
    assert 1 < wave < 54 / 30 < nothing < 54 / 30 + 0.8 and 114 / 30 + 1 < kick < 175 / 30
    assert changes[0]['score'] >= learned.threshold - 0.1


def test_score_is_that_of_the_window_as_a_clip(learned):
    """Of the length whose window is most similar, at the first recognition of all."""
    live = LiveRecognizer(learned, every=59 / 30)
    clip = skeleton('kick', 3)[0]
    assert watch(live, clip[:59]) == []  # the first frame alone says nothing
    change = live.push(clip[59])
    windows = [clip[None, 60 - length : 60] for length in live._lengths]
    near = [learned(window)[0]['similarity'] for window in windows]
    assert change['label'] == 'kick'
    assert change['score'] in [pytest.approx(value, abs=2e-4) for value in near]
    assert change['score'] > max(near) - 0.05


def test_any_rate_and_jitter_by_their_times(learned):
    """Half as many frames at uneven times give what all of them give."""
    clip = skeleton('wave', 3)[0]
    rng = np.random.default_rng(0)
    kept = np.flatnonzero(np.arange(len(clip)) % 2 == 0) + rng.integers(0, 2, (len(clip) + 1) // 2)
    kept = np.unique(kept.clip(0, len(clip) - 1))
    changes = watch(LiveRecognizer(learned), clip[kept], (100 + kept / 30).tolist())
    expected = watch(LiveRecognizer(learned), clip)
    assert changes[-1]['label'] == expected[-1]['label'] == 'wave'
    assert changes[-1]['time'] == pytest.approx(100 + expected[-1]['time'], abs=0.3)


def test_missing_joints_stay_where_they_were(learned):
    clip = skeleton('wave', 2)[0].astype(float)
    holes = clip.copy()
    holes[20:24, 15] = np.nan
    holes[0, 3] = np.nan  # never seen: where its parent is
    live = LiveRecognizer(learned)
    follow = live._follower.follow
    assert np.array_equal(follow(holes[0], None)[3], clip[0, live.layout.parents[3]])
    poses = [follow(frame, None) for frame in holes[1:30]]
    assert np.array_equal(poses[22][15], clip[19, 15]) and np.isfinite(poses).all()
    assert labels(watch(LiveRecognizer(learned), holes)) == ['wave']
    zero = clip[5].copy()
    zero[7] = 0
    scores = np.ones((1, 25))
    scores[0, 7] = 0
    assert np.array_equal(follow(zero, scores)[7], poses[-1][7])
    assert follow(np.zeros((1, 25, 3)), np.zeros((1, 25))) is None


def test_keeps_to_one_person(learned):
    """The larger one, though the order changes; another far away is not taken for it."""
    tall, small = 1.3 * skeleton('wave', 2)[0], skeleton('kick', 3)[0] + [3, 0, 0]
    live = LiveRecognizer(learned)
    for number, (one, other) in enumerate(zip(tall[:40], small)):
        bodies = np.stack([one, other] if number % 2 else [other, one])
        assert np.array_equal(live._follower.follow(bodies, None), one)
    assert live._follower.follow(small[:1], None) is None
    live._follower.forget()
    assert np.array_equal(live._follower.follow(small[:1], None), small[0])
    frames = [np.stack([a, b]) for a, b in zip(tall, small)] + [small[[n]] for n in range(60)]
    assert labels(watch(LiveRecognizer(learned), frames)) == ['wave', None, 'kick']


def test_gaps_and_steps_back_in_time_begin_anew(learned):
    clip = skeleton('wave', 3)[0]
    live = LiveRecognizer(learned)
    halves = [*np.arange(30) / 30, *(50 + np.arange(15) / 30)]
    assert watch(live, clip[:45], halves) == []  # nowhere a second and a half together
    assert len(live._frames) == 15
    live.push(clip[0], 3.0)
    assert len(live._frames) == 1
    live.push(clip[1], 3.0)
    assert len(live._frames) == 1
    with pytest.raises(ValueError, match='give seconds'):
        live.push(clip[0], float('nan'))


def test_memory_is_bounded(learned):
    """For days, with people, without them, and with a clock that stands still."""
    live = LiveRecognizer(learned, every=1000)
    frame = skeleton('sit', 0)[0, 0]
    for number in range(2000):
        live.push(frame if number % 700 < 500 else None)
        live.push(frame, 7.0) if number > 1900 else None
    longest = live._lengths[-1]
    assert len(live._frames) <= longest + 2


def test_refuses_what_is_no_frame(learned):
    live = LiveRecognizer(learned)
    with pytest.raises(ValueError, match='25 joints'):
        live.push(np.zeros((1, 17, 3)))
    live.push(skeleton('sit', 0)[0, 0])
    with pytest.raises(ValueError, match='2 numbers'):
        live.push(skeleton('sit', 0)[0, 0, :, :2])
    for far in (2e4, 1e30, 1e300):  # as first frames they ended the process
        with pytest.raises(ValueError, match='no body is beyond 10000'):
            live.push(far * skeleton('sit', 0)[0, 0].astype(float))
    with pytest.raises(ValueError, match='fps=0'):
        LiveRecognizer(learned, fps=0)


def test_units_and_axes_as_of_recordings(learned):
    """Millimetres with z upwards."""
    clip = 1000 * skeleton('wave', 2)[0][..., [0, 2, 1]] * [1, -1, 1]
    live = LiveRecognizer(learned, unit='mm', up='z')
    plain = LiveRecognizer(learned)
    changes, expected = watch(live, clip), watch(plain, skeleton('wave', 2)[0])
    assert labels(changes) == ['wave']
    assert changes[0]['score'] == pytest.approx(expected[0]['score'], abs=1e-3)
