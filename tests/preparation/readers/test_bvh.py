"""BVH against scipy's rotations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers import get_reader
from stars_mm.preparation.readers.bvh import H36M

#: Joint, parent, the order of its rotations.
JOINTS = [('Hips', None, 'ZYX'), ('Leg', 'Hips', 'XYZ'), ('Foot', 'Leg', 'YZX')]
JOINTS += [('Spine', 'Hips', 'ZYX')]
OFFSETS = dict(Hips=(1, 2, 3), Leg=(-1.5, 0, 2), Foot=(0, -4, 1), Spine=(0, 3, 0.5))
TEXT = """HIERARCHY
ROOT Hips { OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Leg { OFFSET -1.5 0 2 CHANNELS 3 Xrotation Yrotation Zrotation
    JOINT Foot { OFFSET 0 -4 1 CHANNELS 3 Yrotation Zrotation Xrotation
      End Site { OFFSET 0 1 0 } } }
  JOINT Spine { OFFSET 0 3 0.5 CHANNELS 3 Zrotation Yrotation Xrotation
    End Site { OFFSET 0 1 0 } } }
MOTION
Frames: 9
Frame Time: .0083333
"""


def write(path, seed=0):
    """Writes a file of 9 frames; gives the positions (9, 4, 3) by scipy's rotations."""
    rows = np.random.default_rng(seed).uniform(-180, 180, (9, 15)).round(3)
    path.parent.mkdir(parents=True)
    path.write_text(TEXT + '\n'.join(' '.join(map(str, row)) for row in rows))
    places = []
    for row in rows:
        where, turn = {None: row[:3]}, {None: Rotation.identity()}
        for number, (name, parent, order) in enumerate(JOINTS, 1):
            own = Rotation.from_euler(order, row[3 * number : 3 * number + 3], degrees=True)
            where[name] = where[parent] + turn[parent].apply(OFFSETS[name])
            turn[name] = turn[parent] * own
        places.append([where[name] for name, _, _ in JOINTS])
    return np.array(places)


def test_bvh(tmp_path):
    assert len(H36M) == get_layout('h36m-17').num_joints
    expected = write(tmp_path / 'run/02_03.bvh')
    write(tmp_path / 'jump/13_11.bvh', seed=1)
    options = dict(joints=['Foot', 'Hips', 'Spine', 'Leg'])
    jump, run = get_reader('bvh')(str(tmp_path), step=1, **options)
    assert (jump.name, jump.label, jump.subject) == ('jump/13_11', 'jump', '13')
    keypoints, scores, _ = run.load()
    assert keypoints.shape == (1, 9, 4, 3) and scores is None
    np.testing.assert_allclose(keypoints[0], expected[:, [2, 0, 3, 1]], atol=1e-9)
    _, run = get_reader('bvh')(str(tmp_path), **options)
    np.testing.assert_allclose(run.load().keypoints[0], expected[::4, [2, 0, 3, 1]], atol=1e-9)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda text: text.rsplit(' ', 1)[0], 'has 134 numbers; 9 frames of 15 are 135'),
        (lambda text: text.replace('CHANNELS', 'CHANELS', 1), "word 'CHANELS'"),
        (lambda text: text.replace('Foot', 'Toe'), "has no joint 'Foot'"),
        (lambda text: text.rsplit(' ', 1)[0] + ' abc', 'is no whole BVH.*abc'),
    ],
)
def test_bad_bvh(tmp_path, change, message):
    path = tmp_path / 'run/02_03.bvh'
    write(path)
    path.write_text(change(path.read_text()))
    (clip,) = get_reader('bvh')(str(tmp_path), joints=['Hips', 'Foot'])
    with pytest.raises(ValueError, match=message):
        clip.load()
