"""The contract between readers and the converter."""

from functools import partial

import numpy as np
import pytest

from stars_mm.preparation.recording import Clip, ClipLeftOut, Recording, leave_out


def clip(keypoints, scores=None, **more):
    return Recording('a', 0, 's', keypoints, scores, **more)


def test_what_is_loaded():
    keypoints, scores, notes = clip(np.ones((4, 5, 2)), np.ones((4, 5))).load()
    assert keypoints.shape == (1, 4, 5, 2) and scores.shape == (1, 4, 5) and notes is None
    found = clip(lambda: Clip(np.ones((4, 5, 2)), None, dict(mended=1))).load()
    assert found.keypoints.shape == (1, 4, 5, 2) and found.notes == dict(mended=1)
    assert clip(lambda: (np.ones((4, 5, 2)), np.ones((4, 5)))).load().scores.shape == (1, 4, 5)
    with pytest.raises(ClipLeftOut, match='^no body$'):
        clip(partial(leave_out, 'no body')).load()


@pytest.mark.parametrize(
    'keypoints, scores, message',
    [
        (np.ones((1, 4, 5, 4)), None, 'keypoints have shape'),
        (np.ones((1, 0, 5, 3)), None, 'keypoints have shape'),
        (np.ones((4, 5, 2)), np.ones((4, 1)), r'scores have shape \(1, 4, 1\)'),
        ([[['a', 'b']]], None, 'no numbers'),
    ],
)
def test_what_is_refused(keypoints, scores, message):
    with pytest.raises(ValueError, match=message):
        clip(keypoints, scores).load()
