"""BVH against scipy's rotations, and Bandai-Namco's files."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers import get_reader
from stars_mm.preparation.readers.bandai_namco import JOINTS as BANDAI_NAMCO
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
        where, turn = {None: np.zeros(3)}, {None: Rotation.identity()}
        for number, (name, parent, order) in enumerate(JOINTS, 1):
            own = Rotation.from_euler(order, row[3 * number : 3 * number + 3], degrees=True)
            offset = OFFSETS[name] if parent else row[:3]  # a position is in place of the offset
            where[name] = where[parent] + turn[parent].apply(offset)
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
        (lambda text: text.replace('Xrotation', 'Xscale', 1), "unknown channel 'Xscale'"),
        (lambda text: text.replace('Spine', 'Foot'), "has several joints 'Foot'"),
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


def test_bandai_namco(convert_with, tmp_path):
    """Every joint hangs on the ground's, and says where it is in centimetres."""
    places = np.random.default_rng(0).normal(0, 90, (6, 22, 3)).round(3)
    places[:, 0] = 0
    channels = 'CHANNELS 3 Xposition Yposition Zposition'
    text = f'HIERARCHY ROOT joint_Root {{ OFFSET 0 0 0 {channels}\n'
    text += ''.join(f'JOINT {name} {{ OFFSET 1 2 3 {channels} }}\n' for name in BANDAI_NAMCO)
    text += '}\nMOTION\nFrames: 6\nFrame Time: .0333333\n'
    text += '\n'.join(' '.join(map(str, row)) for row in places.reshape(6, -1))
    for name in ('dataset-1_walk-left_tired_001', 'dataset-1_bow_happy_002'):
        (tmp_path / f'{name}.bvh').write_text(text)
    found = convert_with('bandai-namco', tmp_path)
    walk = found.clips['dataset-1_walk-left_tired_001']
    assert (found.class_names[walk['label']], walk['subject']) == ('walk-left', 'tired')
    assert found.layout == 'bandai-namco-21'
    np.testing.assert_allclose(walk['keypoint'][0], places[:, 1:] / 100, atol=1e-6)
    joints = dict(zip(get_layout('bandai-namco-21').joints, BANDAI_NAMCO))
    assert joints['left_shoulder'] == 'UpperArm_L' and joints['right_ankle'] == 'Foot_R'
    (tmp_path / 'walk_001.bvh').write_text(text)
    with pytest.raises(ValueError, match=r'walk_001\.bvh: is not named dataset-X_CONTENT'):
        convert_with('bandai-namco', tmp_path)


@pytest.mark.parametrize(
    'text, problem',
    [
        ('ROOT a { OFFSET 0 0 0 CHANNELS -2 }', '-2 channels'),  # which never ends
        ('ROOT a { OFFSET 0 0 0 } MOTION Frames: 1000000000 Frame Time: 1', 'no CHANNELS'),
        (
            'ROOT a { OFFSET 0 0 0 CHANNELS 1 Xrotation ' + 'JOINT b { } ' * 9999 + '} MOTION '
            'Frames: 99 Frame Time: 1 ' + '1 ' * 99,
            '10000 joints would take',
        ),
        ('}' * 9, 'is no whole BVH'),
    ],
)
def test_a_few_bytes_take_neither_memory_nor_time(tmp_path, text, problem):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/1_1.bvh').write_text(f'HIERARCHY {text}' + ' MOTION' * ('MOTION' not in text))
    (recording,) = get_reader('bvh')(str(tmp_path), joints=['a'])
    with pytest.raises(ValueError, match=problem):
        recording.load()
