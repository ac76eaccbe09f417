"""BVH against scipy's rotations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers import get_reader
from stars_mm.preparation.readers.bvh import H36M

#: A tree of the joints that are taken, with one between them and an end.
PARENTS = dict(
    pair.split(':')
    for pair in (
        'RightUpLeg:Hips RightLeg:RightUpLeg RightFoot:RightLeg LeftUpLeg:Hips '
        'LeftLeg:LeftUpLeg LeftFoot:LeftLeg Spine:Hips Spine1:Spine Neck1:Spine1 Head:Neck1 '
        'LeftShoulder:Spine1 LeftArm:LeftShoulder LeftForeArm:LeftArm LeftHand:LeftForeArm '
        'RightArm:Spine1 RightForeArm:RightArm RightHand:RightForeArm'
    ).split()
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
    offsets = {name: rng.normal(0, 3, 3).round(3) for name in walk()}
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
            parent = PARENTS.get(name)
            own = Rotation.from_euler(ORDERS[len(name) % 3], angles[name][t], degrees=True)
            if parent is None:
                where[name], turn[name] = offsets[name] + move[t], own
            else:
                where[name] = where[parent] + turn[parent].apply(offsets[name])
                turn[name] = turn[parent] * own
        places.append([where[name] for name in H36M])
    return np.array(places)


def test_bvh(tmp_path):
    assert len(H36M) == get_layout('h36m-17').num_joints
    expected = bvh(tmp_path / 'run/02_03.bvh')
    bvh(tmp_path / 'jump/13_11.bvh', seed=1)
    jump, run = get_reader('bvh')(str(tmp_path), step=1)
    assert (jump.name, jump.label, jump.subject) == ('jump/13_11', 'jump', '13')
    keypoints, scores, _ = run.load()
    assert keypoints.shape == (1, 9, 17, 3) and scores is None
    np.testing.assert_allclose(keypoints[0], expected, atol=1e-9)
    _, run = get_reader('bvh')(str(tmp_path))
    np.testing.assert_allclose(run.load().keypoints[0], expected[::4], atol=1e-9)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda text: text[:-20], 'has .* numbers; 9 frames of 57 are 513'),
        (lambda text: text.replace('CHANNELS', 'CHANELS', 1), "word 'CHANELS'"),
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
