import json

import pytest
import yaml
from mmaction.datasets.transforms import JointToBone
from mmaction.models.utils import Graph

from stars_mm.preparation.layouts import (
    NW_UCLA,
    SkeletonLayout,
    get_layout,
    joint_parents,
    known_layouts,
    stored_layout,
)
from stars_mm.utils.input_error import InputError

# Northwestern-UCLA Multiview Action 3D, from 0: hip centre, spine, shoulder centre, head, then arms
# and legs, left first
NW_UCLA_BONES = (
    '0-1 1-2 2-3 2-4 4-5 5-6 6-7 2-8 8-9 9-10 10-11 0-12 12-13 13-14 14-15 0-16 16-17 17-18 18-19'
)


def test_bones_are_mmactions():
    for theirs, ours in (('nturgb+d', 'ntu-25'), ('coco', 'coco-17'), ('openpose', 'openpose-18')):
        pairs = dict(JointToBone(theirs).pairs)
        assert dict(enumerate(joint_parents(theirs))) == pairs
        assert dict(enumerate(joint_parents(ours))) == pairs


def test_nw_ucla_has_the_bones_that_are_drawn():
    parents = joint_parents('nw-ucla')
    found = {frozenset(pair) for pair in enumerate(parents) if len(set(pair)) == 2}
    assert found == {frozenset(map(int, bone.split('-'))) for bone in NW_UCLA_BONES.split()}
    assert joint_parents(NW_UCLA) == parents
    for joint in range(20):  # every joint hangs on the centre
        for _ in range(20):
            joint = parents[joint]
        assert joint == NW_UCLA['center'] == 2


@pytest.mark.parametrize('name', known_layouts())
def test_known_layouts(name):
    """mmaction2's graph takes each; sided joints have their counterparts, and the mirrored skeleton
    is the same skeleton."""
    layout = get_layout(name)
    V = layout.num_joints
    assert name.endswith(f'-{V}')
    joined = Graph(layout=layout.graph, mode='spatial').A[1:].sum(0) > 0
    assert joined.shape == (V, V) and joined.sum() == 2 * (V - 1) and (joined == joined.T).all()
    sided = [joint for joint in layout.joints if 'left_' in joint]
    assert sorted(layout.joints[j] for j in layout.left) == sorted(sided)
    for left, right in layout.pairs:
        assert layout.joints[right] == layout.joints[left].replace('left_', 'right_')
    mirror = dict(layout.pairs) | {right: left for left, right in layout.pairs}
    assert {(mirror.get(a, a), mirror.get(b, b)) for a, b in layout.bones} == set(layout.bones)
    assert [layout.joints[j] for j in layout.align] == ['left_shoulder', 'right_shoulder']


JOINTS = ['hip', 'neck', 'hand_l', 'hand_r', 'foot']
HANDS = ['hand_l', 'hand_r']
STICK = dict(joints=JOINTS, parents=[None, 'hip', 'neck', 'neck', 'hip'], center='neck')
STICK.update(pairs=[HANDS], align=HANDS, unit='mm')


def test_layout_of_a_file(tmp_path):
    expected = SkeletonLayout('a.json', tuple(JOINTS), (0, 0, 1, 1, 0), 1, ((2, 3),), (2, 3), 'mm')
    (tmp_path / 'a.json').write_text(json.dumps(STICK))
    (tmp_path / 'b.yml').write_text(yaml.safe_dump(dict(STICK, name='a.json')))
    for path in ('a.json', 'b.yml'):
        assert get_layout(str(tmp_path / path)) == expected
    assert get_layout(expected.to_dict()) == get_layout(expected) == expected
    assert json.loads(json.dumps(expected.to_dict())) == expected.to_dict()
    assert (expected.num_joints, expected.root) == (5, 0)
    assert (expected.left, expected.right) == ((2,), (3,))
    assert expected.bones == [(1, 0), (2, 1), (3, 1), (4, 0)]


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(joints=['hip', 'neck', 'hand_l', 'hand_r', 'hip']), 'each of them'),
        (dict(parents=[None, 0, 1, 1]), '4 parents for 5 joints'),
        (dict(parents=[None, 0, 1, 1, None]), r"2 joints .*\['hip', 'foot'\]"),
        (dict(parents=[None, 2, 1, 1, 0]), "from 'neck' the parents run in a cir"),
        (dict(parents=[None, 0, 1, 'arm', 0]), "parents names 'arm', which is no"),
        (dict(center=5), 'center names joint 5; its 5 joints are 0 to 4'),
        (dict(pairs=[[2, 3], [3, 4]]), 'a joint twice'),
        (dict(pairs=[[2, 3, 4]]), 'must be pairs'),
        (dict(align=[2, 2]), 'must be two joints'),
        (dict(unit='inch'), "unit='inch' must be one of"),
        (dict(sides=[]), r"has the keys .*'sides'"),
    ],
)
def test_bad_user_layouts(tmp_path, changes, message):
    path = tmp_path / 'stick.json'
    path.write_text(json.dumps(dict(STICK, **changes)))
    with pytest.raises(ValueError, match=rf'stick\.json.*{message}'):
        get_layout(str(path))


def test_bad_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content, message in (
        ('cut.json', '{"joints": [', r'cut\.json: cannot be read'),
        ('list.json', '[1]', r'list\.json: .*holds a list'),
        ('run.yml', '!!python/object/apply:os.mkdir [ran]', r'run\.yml: cannot be read'),
        ('run.py', "open('ran', 'w')", r'run\.py" is not known.* \.py is not run any more'),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=message):
            get_layout(name)
    assert not (tmp_path / 'ran').exists()


def test_bad_layouts():
    for layout, error, message in (
        ('none.json', FileNotFoundError, 'none.json'),
        ('ntu', ValueError, r'layout="ntu" is not known.*nturgb\+d.*nw-ucla'),
        (dict(num_node=3, inward=[]), ValueError, r"lacks \['center'\]"),
        (dict(num_node=3, inward=[(1, 0)], center=0), ValueError, r'3 joints .*\[0, 1\]'),
    ):
        with pytest.raises(error, match=message):
            joint_parents(layout)


def test_layout_that_a_file_names():
    assert stored_layout({}, 'a.pkl') is None
    assert stored_layout(dict(layout='nw-ucla'), 'a.pkl').num_joints == 20
    given = dict(layout='own', skeleton=get_layout('coco-17').to_dict())
    assert stored_layout(given, 'a.pkl') == get_layout('coco-17')
    with pytest.raises(ValueError, match='a.pkl: .*unit'):
        stored_layout(dict(layout=dict(STICK, unit='inch')), 'a.pkl')
    for extra in (dict(layout='layout.json'), dict(skeleton='layout.json'), dict(layout=[1])):
        with pytest.raises(ValueError, match=r'a\.pkl: its layout .* is neither'):
            stored_layout(extra, 'a.pkl')


#: Lists of ten lists of ten lists …, a billion in all.
LAUGHS = 'a: &a [x]\n' + ''.join(
    f'{own}: &{own} [{", ".join(9 * [f"*{of}"])}]\n' for of, own in zip('abcdef', 'bcdefg')
)
MERGES = 'a: &a {x: 1}\n' + ''.join(
    f'{own}: &{own} {{<<: [{", ".join(9 * [f"*{of}"])}]}}\n'
    for of, own in zip('abcdefg', 'bcdefgh')
)
LONG = f'name: &a {"x" * 60_000}\njoints: [{", ".join(999 * ["*a"])}]\nparents: [0]\ncenter: 0\n'


@pytest.mark.parametrize(
    'name, text, problem',
    [
        (
            'a.yml',
            '!!python/object/apply:os.system ["touch {target}"]',
            'could not determine a constr',
        ),
        ('a.yml', LAUGHS + 'name: *g\njoints: *b\nparents: [0]\ncenter: 0\n', 'no text'),
        ('a.yml', MERGES, r'merges other parts of itself \(<<\)'),  # minutes, and with more hours
        ('a.yml', LONG, 'is longer than 100'),  # of which a message of 60 MB was made
        ('a.yml', 'joints: [[[x]]]\nparents: [0]\ncenter: 0\n', 'not all names'),
        ('a.yml', '[' * 9999, 'within lists'),
        ('a.json', '[' * 99999, 'RecursionError'),
        ('a.json', '{"joints": [1e9], "parents": [0], "center": 0}', 'not all names'),
        ('a.json', '{"joints": 7, "parents": [0], "center": 0}', '7 is no list'),
        ('a.json', '{"joints": ["a"], "parents": [0], "center": []}', 'TypeError'),
        ('a.json', '{"joints": ["a"], "parents": [0], "center": 0, "name": {"a": 1}}', 'no text'),
        (
            'a.json',
            json.dumps(dict(joints=[*range(2000)], parents=[0], center=0)),
            'more than 1000',
        ),
        ('a.json', '"' + 'x' * 300_000 + '"', 'more than 256 KiB'),
        ('a.yml', 'joints: \x00', 'special characters'),
    ],
)
def test_a_layout_of_a_stranger_runs_nothing_and_takes_nothing(tmp_path, name, text, problem):
    path, target = tmp_path / name, tmp_path / 'touched'
    path.write_text(text.replace('{target}', str(target)))
    with pytest.raises(InputError, match=f'{name}: .*{problem}'):
        get_layout(str(path))
    assert not target.exists()


def test_a_graph_of_a_stranger_takes_no_memory():
    with pytest.raises(ValueError, match='num_node'):
        get_layout(dict(num_node=10**12, inward=[], center=0))
    with pytest.raises(ValueError, match='layout is a list'):
        get_layout(['coco-17'])
