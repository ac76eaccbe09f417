"""The readers of small Kinect data sets on made-up files of their forms."""

import json
import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from stars_mm.preparation.layouts import get_layout, joint_map

RNG = np.random.default_rng(0)
#: Joints in the order of the files.
MSR = (
    'left_shoulder right_shoulder shoulder_center spine left_hip right_hip hip_center left_elbow '
    'right_elbow left_wrist right_wrist left_hand right_hand left_knee right_knee left_ankle '
    'right_ankle left_foot right_foot head'
).split()
UTD = (
    'head shoulder_center spine hip_center left_shoulder left_elbow left_wrist left_hand '
    'right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot '
    'right_hip right_knee right_ankle right_foot'
).split()
KARD = (
    'head neck right_shoulder right_elbow right_hand left_shoulder left_elbow left_hand torso '
    'right_hip right_knee right_foot left_hip left_knee left_foot'
).split()


def check_joints(array, layout, joints, expected):
    """``array`` (1, T, V, …) is ``expected`` (T, V, …) of the joints in the order of the file."""
    names = get_layout(layout).joints
    assert array.shape == (1, len(expected), len(names), *expected.shape[2:])
    order = [names.index(joint) for joint in joints]
    np.testing.assert_allclose(array[0][:, order], expected, rtol=1e-6)


@pytest.mark.parametrize(
    'reader, ending, joints, columns, one, other, test, last',
    [
        (
            *('utd-mhad', 'skeleton.mat', UTD, 3),
            'a27_s1 a5_s5',
            'a2_s3 a2_s7',
            'a1_s8',
            'swipe left',
        ),
        (
            *('kard', 'realworld.txt', KARD, 3),
            'a18_s03',
            'a01_s04',
            'a01_s06 a09_s10',
            'forward kick',
        ),
        (
            *('msr-action3d', 'skeleton3D.txt', MSR, 4),
            'a20_s09',
            'a01_s07',
            'a04_s10',
            'hand catch',
        ),
    ],
)
def test_a_file_a_clip(
    convert_with, tmp_path, reader, ending, joints, columns, one, other, test, last
):
    take = '_t1' if reader == 'utd-mhad' else '_e01'
    one, other, test = ([name + take for name in names.split()] for names in (one, other, test))
    names = [*one, *other, *test]
    made = {name: RNG.normal(0, 1, (5, len(joints), columns)).round(4) for name in names}
    for name, values in made.items():
        path = tmp_path / f'{name}_{ending}'
        if reader == 'utd-mhad':
            savemat(path, dict(d_skel=values.transpose(1, 2, 0)))
        else:
            np.savetxt(path, values.reshape(-1, columns), '%.4f')
    found = convert_with(reader, tmp_path)
    assert {split: sorted(names) for split, names in found.splits.items()} == dict(
        xsub_train=sorted(one + other),
        xsub_val=test,
        xsub_val1_train=sorted(one),
        xsub_val1_val=other,
        xsub_val2_train=other,
        xsub_val2_val=sorted(one),
    )
    assert found.class_names[found.clips[test[-1]]['label']] == last
    scale = 1e-3 if reader == 'kard' else 1  # millimetres
    for name, clip in found.clips.items():
        assert clip['label'] == int(name[1:].split('_')[0]) - 1
        check_joints(clip['keypoint'], found.layout, joints, made[name][..., :3] * scale)
        if columns == 4:
            check_joints(clip['keypoint_score'], found.layout, joints, made[name][..., 3])
    if reader == 'kard':
        mirrored = convert_with(reader, tmp_path, mirror=True).clips[names[0]]['keypoint']
        np.testing.assert_array_equal(mirrored, found.clips[names[0]]['keypoint'] * (-1, 1, 1))


CAD = (
    'head neck torso left_shoulder left_elbow right_shoulder right_elbow left_hip left_knee '
    'right_hip right_knee left_hand right_hand left_foot right_foot'
).split()


def test_cad60(convert_with, tmp_path):
    names = ('still/p1_a01_002', 'random1/p3_a17_001', 'still/p4_a01_001')
    made = {name: RNG.normal(0, 900, (6, 15, 3)).astype(np.float32) for name in names}
    with zipfile.ZipFile(tmp_path / 'segments.zip', 'w') as archive:
        for name, values in made.items():
            with archive.open(f'cad60_segments/{name}.npy', 'w') as file:
                np.save(file, values)
    found = convert_with('cad60', tmp_path)
    train = ['p1_a01_002', 'p3_a17_001']
    assert found.splits == dict(xsub_train=train, xsub_val=['p4_a01_001'])
    for name, values in made.items():
        folder, name = name.split('/')
        clip = found.clips[name]
        assert found.class_names[clip['label']] == folder and clip['subject'] == name[:2]
        check_joints(clip['keypoint'], 'cad60-15', CAD, values / 1000)


@pytest.mark.parametrize(
    'name, array, message',
    [
        ('still/a01_p1.npy', np.zeros(3), 'is not named pX_aXX_XXX.npy'),
        ('sleep/p1_a01_001.npy', np.zeros(3), "lies in 'sleep', which is no class"),
        ('still/p1_a01_001.npy', np.zeros((9, 20, 3)), r'has shape \(9, 20, 3\); \(T, 15, 3\)'),
        ('still/p1_a01_001.npy', np.array([{}]), '.*dtype object'),  # a pickle
    ],
)
def test_bad_cad60(convert_with, tmp_path, name, array, message):
    (tmp_path / name).parent.mkdir()
    np.save(tmp_path / name, array)
    with pytest.raises(ValueError, match=f'{name}: {message}'):
        convert_with('cad60', tmp_path)


def utkinect(tmp_path, labels, columns=61):
    rows = {}
    for take in ('s01_e01', 's02_e01'):
        rows[take] = RNG.normal(0, 1, (12, columns)).round(4)
        rows[take][:, 0] = np.arange(100, 124, 2)  # every second frame is lost
        twice = np.vstack([rows[take], rows[take][-1:]])  # the last is written again
        np.savetxt(tmp_path / f'joints_{take}.txt', twice, '%.4f')
    (tmp_path / 'actionLabel.txt').write_text(labels)
    (tmp_path / 'readme.txt').write_text('no recording')
    return rows


LABELS = 's01_e01\nwalk: 100 104\nsitDown: 105 109\n\n'
LABELS += 's02_e01\nwalk: 99 130\ncarry: NaN NaN\npush: 100 NaN\n'


def test_utkinect(convert_with, tmp_path):
    rows = utkinect(tmp_path, LABELS)
    found = convert_with('utkinect', tmp_path)
    names = ['s01_e01_walk', 's01_e01_sitDown', 's02_e01_walk']
    one = dict.fromkeys(('xsub_train', 'xsub_val1_train', 'xsub_val2_val'), names[:2])
    assert found.splits == dict(one, xsub_val=names[2:])
    assert [clip['label'] for clip in found.clips.values()] == [0, 1, 0]
    for name, frames in zip(names, ([0, 1, 2], [3, 4], range(12))):
        expected = rows[name[:7]][list(frames), 1:].reshape(-1, 20, 3)
        joints = get_layout('kinect-20').joints
        check_joints(found.clips[name]['keypoint'], 'kinect-20', joints, expected)
    why = 'its label names no frames (NaN)'
    assert found.report.dropped == {'s02_e01_carry': why, 's02_e01_push': why}
    assert found.report.notes == {'repeated frames removed': {'s02_e01_walk': 1}}


def test_bad_utkinect(convert_with, tmp_path):
    for labels, columns, message in (
        ('s01_e01\nfly: 100 104\n', 61, "line 2: 'fly: 100 104' is no"),
        ('walk: 100 104\n', 61, "line 1: 'walk: 100 104' is no"),
        ('s01_e01\nwalk: 300 304\n', 61, r'joints_s01_e01\.txt: has no frame from 300 to 304'),
        ('s09_e01\n', 61, r'line 1: there is no joints_s09_e01\.txt'),
        (LABELS, 58, r'joints_s01_e01\.txt: has 58 numbers a row'),
    ):
        utkinect(tmp_path, labels, columns)
        with pytest.raises(ValueError, match=message):
            convert_with('utkinect', tmp_path)


NW = ('a01_s01_e00_v01', 'a12_s02_e01_v02', 'a06_s10_e05_v03')
FRAMES = RNG.standard_normal((4, 20, 3)).round(4)


def test_nw_ucla(convert_with, tmp_path):
    contents = {name: FRAMES[n:] for n, name in enumerate(NW)}
    again = 'a01_s01_e00_v03'  # the very coordinates of a training clip
    contents[again] = contents[NW[0]]
    with zipfile.ZipFile(tmp_path / 'all_sqe.zip', 'w') as archive:
        for name, frames in contents.items():
            content = json.dumps(dict(skeletons=frames.tolist(), label=3))
            archive.writestr(f'all_sqe/{name}.json', content)
        archive.writestr('__MACOSX/all_sqe/._a01_s01_e00_v01.json', b'\0')
    found = convert_with('nw-ucla', tmp_path / 'all_sqe.zip')
    one, other = [NW[0]], [NW[1]]
    assert found.splits == dict(
        xview_train=one + other,
        xview_val=[again, NW[2]],
        xview_val1_train=one,
        xview_val1_val=other,
        xview_val2_train=other,
        xview_val2_val=one,
        xview_val_distinct=[NW[2]],
    )
    assert found.class_names[5] == 'stand up' and found.layout == 'kinect-20'
    for name, label in zip(NW, (0, 9, 5)):
        assert found.clips[name]['label'] == label
        np.testing.assert_array_equal(found.clips[name]['keypoint'][0], np.float32(contents[name]))


def nw_json(value):
    frames = FRAMES.tolist()
    frames[2][7] = value
    return json.dumps(dict(skeletons=frames)).encode()


@pytest.mark.parametrize(
    'reader, name, content, message',
    [
        ('nw-ucla', 'a07_s01_e00_v01.json', b'', "action 'a07' is not in NW-UCLA"),
        ('nw-ucla', 'a01_s01.json', b'', 'is not named aXX_sXX_eXX_vXX.json'),
        ('nw-ucla', f'{NW[0]}.json', b'{"skeletons": [[', 'no readable JSON'),
        ('nw-ucla', f'{NW[0]}.json', b'{"label": 1}', "no list 'skeletons'"),
        ('nw-ucla', f'{NW[0]}.json', b'{"skeletons": [[[0, 0, 1]]]}', r'\[0\] has 1 joints'),
        ('nw-ucla', f'{NW[0]}.json', nw_json([1, '1.5', 2]), r"\[2\] holds \[.*'1\.5'"),
        ('nw-ucla', f'{NW[0]}.json', nw_json([1, float('nan'), 2]), 'holds NaN'),
        ('utd-mhad', 'a28_s1_t1_skeleton.mat', b'', 'action 28 is none of 1 to 27'),
        ('utd-mhad', 'a1_s1_t1_skeleton.mat', b'no mat', 'cannot be read'),
        ('kard', 'a01_s01_e01_realworld.txt', b'1 2 3\n' * 14, 'has 14 rows of 3 numbers; 15'),
    ],
)
def test_bad_files(convert_with, tmp_path, reader, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf'{name}: .*{message}'):
        convert_with(reader, tmp_path)


#: Of each set: its file, clips, training clips, least and most frames, options of the reader.
REAL = {
    'nw-ucla': ('nw_ucla/all_sqe.zip', 1484, 1020, (1, 201), {}),
    'utd-mhad': ('utd_mhad/Skeleton.zip', 861, 431, (41, 125), {}),
    'kard': ('kard/kard_realworld.zip', 540, 270, (42, 310), dict(mirror=True)),
    'cad60': ('cad60/cad60_segments.zip', 2736, 1988, (29, 33), {}),
    'bandai-namco': ('bandai_namco', 174, 130, (20, 1901), {}),
}


def left_when_seated(body):
    """Whether left is left: of a body (T, 15, 3) of 'common-15' in the frame in which its knees
    are bent most, positive if shoulders, spine and knees lie as ours do. Zero if they are straight.
    """
    joints = dict(zip(get_layout('common-15').joints, body.swapaxes(0, 1)))

    def middle(joint):
        return (joints[f'left_{joint}'] + joints[f'right_{joint}']) / 2

    forward = middle('knee') - (middle('hip') + middle('ankle')) / 2
    most = np.linalg.norm(forward, axis=1).argmax()
    if np.linalg.norm(forward[most]) < 0.2:
        return 0
    across, up = joints['left_shoulder'] - joints['right_shoulder'], joints['neck'] - middle('hip')
    return np.sign(np.linalg.det([across[most], up[most], forward[most]]))


@pytest.mark.slow
@pytest.mark.parametrize('reader', REAL)
def test_real_recordings(convert_with, shared_dir, reader):
    path, clips, train, frames, options = REAL[reader]
    if not (shared_dir / 'data' / path).exists():
        pytest.skip(f'no recordings at {path}')
    found = convert_with(reader, shared_dir / 'data' / path, **options)
    assert len(found.clips) == clips and not found.report.dropped
    protocol = 'xview' if reader == 'nw-ucla' else 'xsub'
    sizes = {split.removeprefix(protocol): len(names) for split, names in found.splits.items()}
    assert (sizes['_train'], sizes['_val']) == (train, clips - train)
    assert sizes.get('_val_distinct') == (369 if reader == 'nw-ucla' else None)
    halves = {split: size for split, size in sizes.items() if '_val1_' in split}
    assert sum(halves.values()) == (train if halves else 0)
    lengths = [clip['total_frames'] for clip in found.clips.values()]
    assert (min(lengths), max(lengths)) == frames

    # as common joints: metres, upright, left and right as in Kinect's data
    weights = joint_map(found.skeleton)
    bodies = [weights @ clip['keypoint'][0] for clip in found.clips.values()]
    joints = get_layout('common-15').joints
    ends = [joints.index('left_ankle'), joints.index('head')]
    heights = [np.median(np.diff(body[:, ends, 1])) for body in bodies]
    assert 1.2 < np.median(heights) < 1.6
    sides = np.array([left_when_seated(body) for body in bodies])
    assert (sides > 0).sum() > 2 * (sides < 0).sum()
