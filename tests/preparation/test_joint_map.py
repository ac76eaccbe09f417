"""Maps between layouts against joints that are averaged one by one."""

import numpy as np
import pytest

from stars_mm.preparation.layouts import get_layout, joint_map, known_layouts

#: Layout → the joints whose means are head, neck and torso; wrist and ankle.
SHOULDERS, HIPS = 'left_shoulder right_shoulder', 'left_hip right_hip'
TAKEN = {
    'ntu-25': ('head', 'spine_shoulder', 'spine_mid', 'wrist', 'ankle'),
    'kinect-20': ('head', 'shoulder_center', f'2*shoulder_center {HIPS}', 'wrist', 'ankle'),
    'kard-15': ('head', 'neck', 'torso', 'hand', 'foot'),
    'cad60-15': ('head', 'neck', 'torso', 'hand', 'foot'),
    'bandai-namco-21': ('head', 'neck', f'2*neck {HIPS}', 'wrist', 'ankle'),
    'common-15': ('head', 'neck', 'torso', 'wrist', 'ankle'),
    'coco-17': ('left_ear right_ear', SHOULDERS, f'{SHOULDERS} {HIPS}', 'wrist', 'ankle'),
    'h36m-17': ('head', 'thorax', f'2*thorax {HIPS}', 'wrist', 'foot'),
    'openpose-18': ('left_ear right_ear', 'neck', f'2*neck {HIPS}', 'wrist', 'ankle'),
}


@pytest.mark.parametrize('name', known_layouts())
def test_every_known_layout(name):
    head, neck, torso, wrist, ankle = TAKEN[name]
    source = get_layout(name)
    body = np.random.default_rng(0).normal(size=(source.num_joints, 3))
    expected = []
    for joint in get_layout('common-15').joints:
        side, _, part = joint.partition('_')
        taken = dict(head=head, neck=neck, torso=torso).get(joint, joint)
        if part in ('wrist', 'ankle'):
            taken = f'{side}_{dict(wrist=wrist, ankle=ankle)[part]}'
        points = []
        for word in taken.split():
            count, _, found = word.rpartition('*')
            points += [body[source.joints.index(found)]] * int(count or 1)
        expected.append(sum(points) / len(points))
    weights = joint_map(name)
    assert weights.shape == (15, source.num_joints) and weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights @ body, expected, atol=1e-6)


def test_common_joints():
    common = get_layout('common-15')
    assert common.joints[common.center] == 'torso' and common.unit == 'm'
    assert [common.joints[joint] for joint in common.align] == ['left_shoulder', 'right_shoulder']
    assert len(common.pairs) == 6
    np.testing.assert_array_equal(joint_map('common-15'), np.eye(15))


def test_part_of_the_common_joints():
    arm = dict(
        name='arm',
        joints=['left_wrist', 'left_elbow'],
        parents=['left_elbow', None],
        center='left_elbow',
    )
    order = [get_layout('coco-17').joints.index(joint) for joint in arm['joints']]
    np.testing.assert_array_equal(joint_map('coco-17', arm), np.eye(17)[order])


def test_what_cannot_be_mapped():
    arm = dict(name='arm', joints=['neck', 'left_hand'], parents=[0, 0], center='neck')
    with pytest.raises(ValueError, match=r"'arm' cannot be .*'common-15'.*head \(from head or le"):
        joint_map(arm)
    with pytest.raises(ValueError, match=r'right_wrist \(from right_wrist or right_hand\), .*neck'):
        joint_map(arm)
    with pytest.raises(ValueError, match="'arm': joint 'left_hand' is none of"):
        joint_map('coco-17', arm)
