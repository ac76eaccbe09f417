"""The example readers on made-up files of the data sets' formats."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stars_mm.preparation.layouts import H36M_17, KINECT_20
from stars_mm.preparation.readers import get_reader
from stars_mm.preparation.readers.bvh import H36M


def utkinect(tmp_path, labels=None, columns=61):
    (tmp_path / 'joints').mkdir(exist_ok=True)
    rows = {}
    for take in ('s01_e01', 's02_e01'):
        rng = np.random.default_rng(int(take[2]))
        table = rng.normal(0, 1, (12, columns)).round(4)
        table[:, 0] = np.arange(100, 124, 2)  # every second frame is lost
        rows[take] = table
        text = '\n'.join(' '.join(map(str, row)) for row in table)
        # a frame may be written twice
        last = text.rsplit('\n', 1)[-1]
        (tmp_path / f'joints/joints_{take}.txt').write_text(f'{text}\n{last}')
    (tmp_path / 'actionLabel.txt').write_text(
        labels
        or 's01_e01\nwalk: 100 104\nsitDown: 105 109\n\ns02_e01\nwalk: 99 130\ncarry: NaN NaN\n'
    )
    return rows


def test_utkinect(tmp_path):
    rows = utkinect(tmp_path)
    clips = list(get_reader('utkinect')(str(tmp_path)))
    assert [(c.name, c.label, c.subject) for c in clips] == [
        ('s01_e01_walk', 'walk', 's01'),
        ('s01_e01_sitDown', 'sitDown', 's01'),
        ('s02_e01_walk', 'walk', 's02'),
    ]
    for clip, take, frames in zip(
        clips, ('s01_e01', 's01_e01', 's02_e01'), ([0, 1, 2], [3, 4], range(12))
    ):
        keypoints, scores = clip.load()
        assert keypoints.shape == (1, len(frames), 20, 3) and scores is None
        for t, frame in enumerate(frames):
            for joint in range(20):
                np.testing.assert_array_equal(
                    keypoints[0, t, joint], rows[take][frame][1 + 3 * joint : 4 + 3 * joint]
                )


@pytest.mark.parametrize(
    'labels, columns, message',
    [
        ('s01_e01\nwalk: 1 x\n', 61, r"Label\.txt: line 2: 'walk: 1 x' is no"),
        ('walk: 100 104\n', 61, "line 1: 'walk: 100 104' is no"),
        ('s01_e01\nwalk: 300 304\n', 61, 'line 2: s01_e01 has no frame from 300'),
        (None, 58, r'joints_s01_e01\.txt: has 58 numbers a row'),
    ],
)
def test_bad_utkinect(tmp_path, labels, columns, message):
    utkinect(tmp_path, labels, columns)
    with pytest.raises(ValueError, match=message):
        list(get_reader('utkinect')(str(tmp_path)))


#: The joints of a frame of MSR-Action3D's files in their order.
MSR = (
    'right_shoulder left_shoulder shoulder_center spine right_hip left_hip '
    'hip_center right_elbow left_elbow right_wrist left_wrist right_hand '
    'left_hand right_knee left_knee right_ankle left_ankle right_foot '
    'left_foot head'
).split()


def test_msr_action3d(tmp_path):
    rows = np.random.default_rng(0).normal(0, 1, (60, 4)).round(4)
    np.savetxt(tmp_path / 'a03_s10_e02_skeleton3D.txt', rows, '%.4f')
    (tmp_path / 'a01_s01_e01_skeleton3D.txt').write_text('1 2 3 4\n' * 19)
    bad, clip = get_reader('msr-action3d')(str(tmp_path))
    assert (clip.name, clip.label, clip.subject) == ('a03_s10_e02', 'a03', 's10')
    keypoints, scores = clip.load()
    assert keypoints.shape == (1, 3, 20, 3)
    for t in range(3):
        for joint, name in enumerate(MSR):
            place = KINECT_20.joints.index(name)
            np.testing.assert_array_equal(keypoints[0, t, place], rows[20 * t + joint, :3])
            assert scores[0, t, place] == rows[20 * t + joint, 3]
    with pytest.raises(ValueError, match='has 19 rows of 4 numbers; 20 rows'):
        bad.load()
    (tmp_path / 'x_skeleton3D.txt').write_text('')
    with pytest.raises(ValueError, match='x_skeleton3D.txt: is not named'):
        list(get_reader('msr-action3d')(str(tmp_path)))


#: A tree of the joints that are taken, with one between them and an end.
PARENTS = dict(
    Hips=None,
    RightUpLeg='Hips',
    RightLeg='RightUpLeg',
    RightFoot='RightLeg',
    LeftUpLeg='Hips',
    LeftLeg='LeftUpLeg',
    LeftFoot='LeftLeg',
    Spine='Hips',
    Spine1='Spine',
    Neck1='Spine1',
    Head='Neck1',
    LeftShoulder='Spine1',
    LeftArm='LeftShoulder',
    LeftForeArm='LeftArm',
    LeftHand='LeftForeArm',
    RightArm='Spine1',
    RightForeArm='RightArm',
    RightHand='RightForeArm',
)
ORDERS = ('ZYX', 'XYZ', 'YZX')


def hierarchy(name, offsets, depth=0):
    children = [child for child, parent in PARENTS.items() if parent == name]
    order = ORDERS[len(name) % 3]
    channels = [f'{axis}rotation' for axis in order]
    if depth == 0:
        channels = ['Xposition', 'Yposition', 'Zposition', *channels]
    inside = [
        f'OFFSET {" ".join(map(str, offsets[name]))}',
        f'CHANNELS {len(channels)} {" ".join(channels)}',
        *(hierarchy(child, offsets, depth + 1) for child in children),
    ]
    if not children:
        inside.append('End Site\n{\nOFFSET 0 1 0\n}')
    body = '\n'.join(inside)
    return f'{"JOINT" if depth else "ROOT"} {name}\n{{\n{body}\n}}'


def walk(name='Hips'):
    """The joints in the order of the file."""
    yield name
    for child, parent in PARENTS.items():
        if parent == name:
            yield from walk(child)


def bvh(path, frames=9, seed=0):
    """Writes a file; gives the positions by scipy's rotations."""
    rng = np.random.default_rng(seed)
    offsets = {name: rng.normal(0, 3, 3).round(3) for name in PARENTS}
    move = rng.normal(0, 9, (frames, 3)).round(3)
    angles = {name: rng.uniform(-180, 180, (frames, 3)).round(3) for name in walk()}
    rows = np.hstack([move, *angles.values()])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        'HIERARCHY\n'
        + hierarchy('Hips', offsets)
        + f'\nMOTION\nFrames: {frames}\nFrame Time: .0083333\n'
        + '\n'.join(' '.join(map(str, row)) for row in rows)
    )
    places = []
    for t in range(frames):
        where, turn = {}, {}
        for name in walk():
            parent = PARENTS[name]
            own = Rotation.from_euler(ORDERS[len(name) % 3], angles[name][t], degrees=True)
            if parent is None:
                where[name], turn[name] = offsets[name] + move[t], own
            else:
                where[name] = where[parent] + turn[parent].apply(offsets[name])
                turn[name] = turn[parent] * own
        places.append([where[name] for name in H36M])
    return np.array(places)


def test_bvh(tmp_path):
    assert len(H36M) == H36M_17.num_joints
    expected = bvh(tmp_path / 'run/02_03.bvh')
    bvh(tmp_path / 'jump/13_11.bvh', seed=1)
    jump, run = get_reader('bvh')(str(tmp_path), step=1)
    assert (jump.name, jump.label, jump.subject) == ('jump/13_11', 'jump', '13')
    keypoints, scores = run.load()
    assert keypoints.shape == (1, 9, 17, 3) and scores is None
    np.testing.assert_allclose(keypoints[0], expected, atol=1e-9)
    _, run = get_reader('bvh')(str(tmp_path))
    np.testing.assert_allclose(run.load()[0][0], expected[::4], atol=1e-9)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda text: text[:-20], 'has .* numbers; 9 frames of 57 are 513'),
        (lambda text: text[:200], 'is no whole BVH'),
        (lambda text: text.replace('CHANNELS', 'CHANELS', 1), "word 'CHANELS'"),
        (lambda text: text.replace('Frames: 9', 'Frames: x'), 'is no whole BVH'),
        (lambda text: text.replace('Neck1', 'Neck9'), "has no joint 'Neck1'"),
        (lambda text: text.rsplit(' ', 1)[0] + ' abc', 'is no whole BVH.*abc'),
    ],
)
def test_bad_bvh(tmp_path, change, message):
    path = tmp_path / 'run/02_03.bvh'
    bvh(path)
    path.write_text(change(path.read_text()))
    (clip,) = get_reader('bvh')(str(tmp_path))
    with pytest.raises(ValueError, match=message):
        clip.load()
