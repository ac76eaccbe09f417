"""Conversion by a reader's name, and made-up recordings of NTU RGB+D."""

from types import SimpleNamespace

import numpy as np
import pytest

from stars_mm.preparation.annotation_file import load_annotations
from stars_mm.preparation.convert import convert
from stars_mm.preparation.readers.lookup import call_reader, get_reader


@pytest.fixture
def convert_with(tmp_path_factory):
    """``convert_with(reader, src, **options)``: the file's clips by name, its splits and further
    entries, and the report."""

    def _convert(reader, src, workers=1, **options):
        dst = tmp_path_factory.mktemp('out') / 'a.pkl'
        recordings = call_reader(get_reader(reader), str(src), options)
        report = convert(recordings, str(dst), workers=workers)
        assert [path.name for path in dst.parent.iterdir()] == ['a.pkl']
        extra = {}
        annotations, splits = load_annotations(str(dst), extra)
        clips = {clip['frame_dir']: clip for clip in annotations}
        assert len(clips) == len(annotations)
        return SimpleNamespace(path=str(dst), clips=clips, splits=splits, report=report, **extra)

    return _convert


def person(num_frames, seed=0, sway=0.1, width=0.3, place=0.0):
    """A body (T, 25, 3) in metres, 1.6 m high."""
    rng = np.random.default_rng(seed)
    shape = rng.uniform(-0.5, 0.5, (25, 3)) * (2 * width, 1.6, 0.3)
    shape[:2, 1] = -0.8, 0.8  # the height, whatever was drawn
    shape[:2, 0] = -width, width
    walk = rng.standard_normal((num_frames, 1, 3)) * sway
    return (shape + walk + (place, 0, 3)).astype(np.float32)


def recording(frames):
    """The text of a recording: for each frame, joints (25, 3) by body id."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines.append(f'{body} 0 1 1 0 1 0 -0.1 -0.07 2')
            lines.append('25')
            lines.extend(
                ' '.join(
                    [*map(repr, map(float, point))] + ['243.4', '203.5'] * 2 + ['0.5'] * 4 + ['2']
                )
                for point in joints
            )
    return '\r\n'.join(lines) + '\r\n'


def track(num_frames, **bodies):
    """Frames of bodies given as ``id=(first frame, joints)``."""
    frames = [{} for _ in range(num_frames)]
    for body, (start, joints) in bodies.items():
        for number, joint in enumerate(joints):
            frames[start + number][body.strip('_')] = joint
    return frames


@pytest.fixture(scope='session')
def ntu():
    return SimpleNamespace(person=person, recording=recording, track=track)
