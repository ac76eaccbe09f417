"""The readers of small Kinect data sets on made-up files of their forms."""

import json
import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from stars_mm.preparation.layouts import get_layout

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


def check_joints(clip, layout, joints, expected):
    """The clip's joints are (T, V, 3) ``expected`` in the order of the file."""
    names = get_layout(layout).joints
    assert clip['keypoint'].shape == (1, len(expected), len(names), 3)
    for v, name in enumerate(joints):
        np.testing.assert_allclose(
            clip['keypoint'][0, :, names.index(name)], expected[:, v], rtol=1e-6, err_msg=name
        )


def test_utd_mhad(convert_with, tmp_path):
    expected = {}
    with zipfile.ZipFile(tmp_path / 'Skeleton.zip', 'w') as archive:
        for name in ('a1_s1_t1', 'a27_s2_t4', 'a9_s10_t1'):
            expected[name] = RNG.normal(0, 1, (5, 20, 3))
            savemat(tmp_path / 'a.mat', dict(d_skel=expected[name].transpose(1, 2, 0)))
            archive.write(tmp_path / 'a.mat', f'Skeleton/{name}_skeleton.mat')
        archive.writestr('Skeleton/Skeleton_joint_order.txt', '1. head;')
    found = convert_with('utd-mhad', tmp_path / 'Skeleton.zip')
    assert found.splits == dict(xsub_train=['a1_s1_t1'], xsub_val=['a27_s2_t4', 'a9_s10_t1'])
    assert [clip['label'] for clip in found.clips.values()] == [0, 26, 8]
    assert (found.class_names[2], len(found.class_names)) == ('wave', 27)
    for name, clip in found.clips.items():
        check_joints(clip, 'kinect-20', UTD, expected[name])


@pytest.mark.parametrize('mirror', [False, True])
def test_kard(convert_with, tmp_path, mirror):
    expected = {}
    for name in ('a01_s05_e01', 'a18_s06_e03', 'a12_s10_e01'):
        expected[name] = RNG.normal(0, 1000, (4, 15, 3)).round(4)
        np.savetxt(tmp_path / f'{name}_realworld.txt', expected[name].reshape(-1, 3), '%.4f')
    found = convert_with('kard', tmp_path, mirror=mirror)
    assert found.splits == dict(xsub_train=['a01_s05_e01'], xsub_val=['a12_s10_e01', 'a18_s06_e03'])
    assert {name: clip['label'] for name, clip in found.clips.items()} == dict(
        a01_s05_e01=0, a18_s06_e03=17, a12_s10_e01=11
    )
    assert found.class_names[8] == 'forward kick' and len(found.class_names) == 18
    assert (found.layout, found.skeleton['unit']) == ('kard-15', 'm')
    for name, clip in found.clips.items():
        signs = (-1 if mirror else 1, 1, 1)
        check_joints(clip, 'kard-15', KARD, expected[name] / 1000 * signs)


def test_msr_action3d(convert_with, tmp_path):
    expected = {}
    for name in ('a03_s10_e02', 'a20_s01_e01'):
        expected[name] = RNG.normal(0, 1, (3, 20, 4)).round(4)
        np.savetxt(tmp_path / f'{name}_skeleton3D.txt', expected[name].reshape(-1, 4), '%.4f')
    found = convert_with('msr-action3d', tmp_path)
    assert found.splits == dict(xsub_train=['a20_s01_e01'], xsub_val=['a03_s10_e02'])
    assert [clip['label'] for clip in found.clips.values()] == [2, 19]
    names = get_layout('kinect-20').joints
    for name, clip in found.clips.items():
        check_joints(clip, 'kinect-20', MSR, expected[name][..., :3])
        scores = clip['keypoint_score'][0, :, [names.index(joint) for joint in MSR]].T
        np.testing.assert_allclose(scores, expected[name][..., 3], rtol=1e-6)


LABELS = (
    's01_e01\nwalk: 100 104\nsitDown: 105 109\n\ns02_e01\nwalk: 99 130\ncarry: NaN NaN\n'
    'push: 100 NaN\n'
)


def utkinect(tmp_path, labels=LABELS, columns=61):
    rows = {}
    folder = tmp_path / 'UTKinect/any/joints'
    folder.mkdir(parents=True)
    for take in ('s01_e01', 's02_e01'):
        rows[take] = RNG.normal(0, 1, (12, columns)).round(4)
        rows[take][:, 0] = np.arange(100, 124, 2)  # every second frame is lost
        twice = np.vstack([rows[take], rows[take][-1:]])  # the last is written again
        np.savetxt(folder / f'joints_{take}.txt', twice, '%.4f')
    (tmp_path / 'UTKinect/actionLabel.txt').write_text(labels)
    (tmp_path / 'UTKinect/readme.txt').write_text('no recording')
    return rows


def test_utkinect(convert_with, tmp_path):
    rows = utkinect(tmp_path)
    found = convert_with('utkinect', tmp_path)
    assert found.splits == dict(
        xsub_train=['s01_e01_walk', 's01_e01_sitDown'], xsub_val=['s02_e01_walk']
    )
    assert [clip['label'] for clip in found.clips.values()] == [0, 1, 0]
    for clip, frames in zip(found.clips.values(), ([0, 1, 2], [3, 4], range(12))):
        take = clip['frame_dir'][:7]
        expected = rows[take][list(frames), 1:].reshape(-1, 20, 3)
        check_joints(clip, 'kinect-20', get_layout('kinect-20').joints, expected)
    why = 'its label names no frames (NaN)'
    assert found.report.dropped == {'s02_e01_carry': why, 's02_e01_push': why}
    text = found.report.as_text()
    assert f'left out, 2 clips: {why} (s02_e01_carry, s02_e01_push)' in text
    assert 'repeated frames removed: 1, in 1 clips (s02_e01_walk)' in text


NW = ('a01_s01_e00_v01', 'a12_s02_e01_v02', 'a06_s10_e05_v03')


def nw_frames(seed):
    return np.random.default_rng(seed).standard_normal((2 + seed, 20, 3)).round(4).tolist()


def nw_ucla(tmp_path, **contents):
    path = tmp_path / 'all_sqe.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in contents.items():
            content = content if isinstance(content, (str, bytes)) else json.dumps(content)
            archive.writestr(f'all_sqe/{name}.json', content)
        archive.writestr('__MACOSX/all_sqe/._a01_s01_e00_v01.json', b'\0')
    return path


def test_nw_ucla(convert_with, tmp_path):
    contents = {name: dict(skeletons=nw_frames(n), label=3) for n, name in enumerate(NW)}
    found = convert_with('nw-ucla', nw_ucla(tmp_path, **contents))
    assert found.splits == dict(
        xview_train=[NW[0], NW[1]], xview_val=[NW[2]], xview_val_distinct=[NW[2]]
    )
    assert found.class_names[5] == 'stand up' and found.layout == 'kinect-20'
    for seed, (name, label) in enumerate(zip(NW, (0, 9, 5))):
        clip = found.clips[name]
        assert clip['label'] == label and clip['keypoint'].dtype == np.float32
        np.testing.assert_array_equal(clip['keypoint'][0], np.float32(nw_frames(seed)))
    assert 'very coordinates' not in found.report.as_text()
    contents['a01_s01_e00_v03'] = contents[NW[0]]
    found = convert_with('nw-ucla', nw_ucla(tmp_path, **contents))
    assert found.splits['xview_val'] == ['a01_s01_e00_v03', NW[2]]
    assert found.splits['xview_val_distinct'] == [NW[2]]
    assert '1 clips of xview_val have the very coordinates' in found.report.as_text()


def put(value):
    clip = nw_frames(3)
    clip[2][7] = value
    return dict(skeletons=clip)


@pytest.mark.parametrize(
    'content, message',
    [
        (dict(skeletons=[[[0, 0, 1]] * 19]), r"'skeletons'\[0\] has 19 joints.*has 20"),
        (put([1, '1.5', 2]), r"\[2\] holds \[.*'1\.5'"),
        (put([1, float('nan'), 2]), 'holds NaN'),
        (put([1, 1e300, 2]), r'holds 1e\+300'),
        (dict(skeletons=np.zeros((2, 20, 3)).tolist()), 'shows no body'),
        (dict(skeletons=[]), 'none of them 0'),
        (dict(label=1), "no list 'skeletons'"),
        ('{"skeletons": [[', 'no readable JSON'),
    ],
)
def test_bad_nw_ucla(convert_with, tmp_path, content, message):
    src = nw_ucla(tmp_path, **{NW[0]: dict(skeletons=nw_frames(0)), NW[2]: content})
    with pytest.raises(ValueError, match=rf'all_sqe\.zip: all_sqe/{NW[2]}\.json: .*{message}'):
        convert_with('nw-ucla', src)


@pytest.mark.parametrize(
    'reader, name, content, message',
    [
        ('nw-ucla', 'a07_s01_e00_v01.json', b'', "action 'a07' is not in NW-UCLA"),
        ('nw-ucla', 'a01_s01.json', b'', 'is not named aXX_sXX_eXX_vXX.json'),
        ('utd-mhad', 'a28_s1_t1_skeleton.mat', b'', 'action 28 is none of 1 to 27'),
        ('utd-mhad', 'a1_s1_t1_skeleton.mat', b'no mat', r'skeleton\.mat: is no \.mat'),
        ('kard', 'a19_s01_e01_realworld.txt', b'', 'action 19 is none of 1 to 18'),
        ('kard', 'a01_s01_e01_realworld.txt', b'1 2 3\n' * 14, 'has 14 rows of 3 numbers; 15'),
        ('msr-action3d', 'x_skeleton3D.txt', b'', 'is not named aXX_sXX_eXX_skeleton3D'),
        ('msr-action3d', 'a01_s01_e01_skeleton3D.txt', b'1 2 3 4\n' * 19, 'has 19 rows of 4 '),
    ],
)
def test_bad_files(convert_with, tmp_path, reader, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        convert_with(reader, tmp_path)


@pytest.mark.parametrize(
    'labels, columns, message',
    [
        ('s01_e01\nwalk: 1 x\n', 61, r"Label\.txt: line 2: 'walk: 1 x' is no"),
        ('s01_e01\nfly: 100 104\n', 61, "line 2: 'fly: 100 104' is no"),
        ('walk: 100 104\n', 61, "line 1: 'walk: 100 104' is no"),
        ('s01_e01\nwalk: 300 304\n', 61, r'joints_s01_e01\.txt: has no frame from 300 to 304'),
        ('s09_e01\n', 61, r'line 1: there is no joints_s09_e01\.txt'),
        (LABELS, 58, r'joints_s01_e01\.txt: has 58 numbers a row'),
    ],
)
def test_bad_utkinect(convert_with, tmp_path, labels, columns, message):
    utkinect(tmp_path, labels, columns)
    with pytest.raises(ValueError, match=message):
        convert_with('utkinect', tmp_path)


@pytest.mark.parametrize(
    'reader, path, clips, train, frames',
    [
        ('nw-ucla', 'nw_ucla/all_sqe.zip', 1484, 1020, (1, 201)),
        ('utd-mhad', 'utd_mhad/Skeleton.zip', 861, 431, (41, 125)),
        ('kard', 'kard/kard_realworld.zip', 540, 270, (42, 310)),
    ],
)
def test_real_recordings(convert_with, shared_dir, reader, path, clips, train, frames):
    if not (shared_dir / 'data' / path).exists():
        pytest.skip(f'no recordings at {path}')
    found = convert_with(reader, shared_dir / 'data' / path)
    assert len(found.clips) == clips and not found.report.dropped
    splits = {name: len(split) for name, split in found.splits.items()}
    view = 'xview' if reader == 'nw-ucla' else 'xsub'
    assert (splits[f'{view}_train'], splits[f'{view}_val']) == (train, clips - train)
    assert splits.get('xview_val_distinct', 369) == 369
    lengths = [clip['total_frames'] for clip in found.clips.values()]
    assert (min(lengths), max(lengths)) == frames
    joints = get_layout(found.layout).joints
    heights = [
        np.median(c['keypoint'][0, :, joints.index('head'), 1])
        - np.median(c['keypoint'][0, :, joints.index('left_foot'), 1])
        for c in found.clips.values()
    ]
    assert 1.3 < np.median(heights) < 1.7  # upright, in metres
