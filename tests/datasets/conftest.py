"""Made-up annotation files."""

import pickle

import numpy as np
import pytest


def make_clip(number: int, shape=(1, 12, 5, 3), **extra) -> dict:
    rng = np.random.default_rng(number)
    clip = dict(
        frame_dir=f'clip{number}',
        label=number % 3,
        keypoint=rng.standard_normal(shape).astype(np.float16),
        total_frames=shape[1],
    )
    clip.update(extra)
    return clip


@pytest.fixture
def clips() -> list:
    """Six clips of 5 joints: even ones of one person, odd ones of two."""
    return [make_clip(i, (1 + i % 2, 10 + i, 5, 3)) for i in range(6)]


@pytest.fixture
def write(tmp_path):
    """Writes clips as an annotation file; clips 0 to 3 train, 4 and 5 test."""

    def _write(clips: list, **splits) -> str:
        names = [clip.get('frame_dir') for clip in clips]
        splits = splits or dict(train=names[:4], val=names[4:])
        path = tmp_path / 'ann.pkl'
        path.write_bytes(pickle.dumps(dict(split=splits, annotations=clips), protocol=4))
        return str(path)

    return _write
