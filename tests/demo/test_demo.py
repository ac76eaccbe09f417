"""The demo data: format, bodies, floor, and the command that writes it."""

import pickle
import runpy

import numpy as np
import pytest
from scipy.linalg import expm

from stars_mm.demo import CLASS_NAMES, NUM_PERSONS, make_annotations
from stars_mm.demo.kinematics import rot_x, rot_y, rot_z
from stars_mm.preparation.layouts import get_layout


@pytest.fixture(scope='module')
def clean():
    """Without the tracker's errors."""
    return make_annotations(clips_per_class=6, num_subjects=6, seed=1, noise=False)


def test_golden_motion():
    """A weighted sum of the joints of the first clip of each class, as it was when the README's
    numbers were measured."""
    weights = np.random.default_rng(0).normal(size=(25, 3))
    expected = {
        False: '0.7968 1.1376 0.6433 1.2611 0.9182 0.7682 0.8509 0.6163 0.5214 0.3834 0.6260 '
        '0.7612 2.0336 2.3090 2.4158',
        True: '0.7870 1.1886 0.7244 1.2384 0.8720 0.8430 0.7769 0.6821 0.5384 0.4991 0.6679 '
        '0.7290 2.1019 2.3667 2.3029',
    }
    for noise, values in expected.items():
        clips = make_annotations(3, 3, seed=5, noise=noise)['annotations'][: len(CLASS_NAMES)]
        sums = [clip['keypoint'].astype(float) * weights for clip in clips]
        found = [x.sum(axis=(2, 3)).std() + x.mean() for x in sums]
        np.testing.assert_allclose(found, list(map(float, values.split())), atol=1e-4)


def test_annotation_format_and_cross_subject_split(clean):
    names = [a['frame_dir'] for a in clean['annotations']]
    assert len(set(names)) == len(names) == 6 * len(CLASS_NAMES)
    assert sorted(sum(clean['split'].values(), [])) == sorted(names)
    assert clean['class_names'] == list(CLASS_NAMES)
    for clip in clean['annotations']:
        keypoint = clip['keypoint']
        assert keypoint.dtype == np.float32 and np.isfinite(keypoint).all()
        assert keypoint.shape == (NUM_PERSONS[clip['label']], clip['total_frames'], 25, 3)
        assert 40 <= clip['total_frames'] <= 150
    label = {a['frame_dir']: a['label'] for a in clean['annotations']}
    people = []
    for split, count in (('xsub_train', 4), ('xsub_val', 2)):
        names = clean['split'][split]
        people.append({name[name.index('P') : name.index('A')] for name in names})
        assert len(people[-1]) == count
        assert {label[name] for name in names} == set(range(len(CLASS_NAMES)))
    assert not people[0] & people[1]


def test_partner_is_of_the_same_split(clean):
    """A subject's bones give it away: no body is seen in both splits."""
    shanks = dict(xsub_train=set(), xsub_val=set())
    for clip in clean['annotations']:
        split = 'xsub_val' if clip['frame_dir'] in clean['split']['xsub_val'] else 'xsub_train'
        length = np.linalg.norm(clip['keypoint'][:, 0, 13] - clip['keypoint'][:, 0, 14], axis=-1)
        shanks[split].update(length.round(4).tolist())
    assert len(shanks['xsub_train']) == 4 and len(shanks['xsub_val']) == 2
    assert not shanks['xsub_train'] & shanks['xsub_val']


def test_bones_keep_their_length(clean):
    first, second = np.array(get_layout('ntu-25').bones).T
    for clip in clean['annotations']:
        keypoint = clip['keypoint']
        length = np.linalg.norm(keypoint[:, :, first] - keypoint[:, :, second], axis=-1)
        still = np.broadcast_to(length[:, :1], length.shape)
        np.testing.assert_allclose(length, still, atol=1e-5, err_msg=clip['frame_dir'])
        assert length.min() > 0.02 and length.max() < 0.6


def test_knees_bend_forward_and_left_is_left(clean):
    """In the body's own axes: right, up, and forward from both."""
    for clip in clean['annotations']:
        if CLASS_NAMES[clip['label']] not in ('squat', 'march on the spot', 'sit down', 'kick'):
            continue
        person = clip['keypoint'][0].astype(float)
        forward = np.cross(person[:, 1] - person[:, 0], person[:, 16] - person[:, 12])
        for hip, knee, ankle in ((12, 13, 14), (16, 17, 18)):
            bend = person[:, knee] - (person[:, hip] + person[:, ankle]) / 2
            assert ((bend * forward).sum(-1) > 0).all(), clip['frame_dir']
        assert forward[0, 2] < 0  # who faces the camera has the right side at larger x


def test_rotations_against_matrix_exponential():
    for axis, rotation in enumerate((rot_x, rot_y, rot_z)):
        skew = np.cross(np.eye(3)[axis], np.eye(3)).T * 0.7
        np.testing.assert_allclose(rotation(np.array([0.7]))[0], expm(skew), atol=1e-12)


def test_command(repo_root, tmp_path, monkeypatch, capsys):
    def run(*args):
        monkeypatch.setattr('sys.argv', ['make_demo.py', *map(str, args)])
        runpy.run_path(str(repo_root / 'tools/data/make_demo.py'), run_name='__main__')

    dst = tmp_path / 'new' / 'demo.pkl'
    run(dst, '--clips-per-class', 3, '--subjects', 3, '--seed', 5)
    shown = capsys.readouterr().out
    assert '45 clips (xsub_train 30, xsub_val 15)' in shown
    assert [path.name for path in dst.parent.iterdir()] == ['demo.pkl']
    written, expected = pickle.loads(dst.read_bytes()), make_annotations(3, 3, seed=5)
    assert written['split'] == expected['split']
    for ours, theirs in zip(expected['annotations'], written['annotations']):
        np.testing.assert_array_equal(ours['keypoint'], theirs['keypoint'])
    before = dst.read_bytes()
    for option, key in (('--clips-per-class', 'clips_per_class'), ('--subjects', 'num_subjects')):
        with pytest.raises(SystemExit, match=f'{key}=2 .* at least 3'):
            run(dst, option, 2)
    with pytest.raises(SystemExit, match=r'demo\.txt: an annotation file ends in \.pkl'):
        run(tmp_path / 'demo.txt')
    assert dst.read_bytes() == before
