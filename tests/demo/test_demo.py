"""The demo data: format, bodies, floor, and the command that writes it."""

import pickle
import runpy

import numpy as np
import pytest
from scipy.linalg import expm

from stars_mm.demo import (
    CLASS_NAMES,
    NUM_PERSONS,
    draw_subject,
    generator,
    make_annotations,
    make_clip,
)
from stars_mm.demo.kinematics import rot_x, rot_y, rot_z
from stars_mm.preparation.layouts import get_layout


@pytest.fixture(scope='module')
def small():
    return make_annotations(clips_per_class=6, num_subjects=6, seed=3)


def clean_clip(label: int, seed: int, partner=1) -> np.ndarray:
    """A clip of a class without the tracker's errors."""
    people = tuple(draw_subject(0, index) for index in (0, partner)[: NUM_PERSONS[label]])
    return make_clip(label, people, np.random.default_rng([seed, label]), noise=False)


def test_same_seed_same_bytes():
    first, again, other = (make_annotations(3, 3, seed=seed) for seed in (3, 3, 4))
    assert pickle.dumps(again) == pickle.dumps(first)
    shapes = [[clip['keypoint'].shape for clip in data['annotations']] for data in (first, other)]
    assert shapes[0] != shapes[1]


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


def test_annotation_format_and_cross_subject_split(small):
    names = [a['frame_dir'] for a in small['annotations']]
    assert len(set(names)) == len(names) == 6 * len(CLASS_NAMES)
    assert sorted(sum(small['split'].values(), [])) == sorted(names)
    assert small['class_names'] == list(CLASS_NAMES)
    for clip in small['annotations']:
        keypoint = clip['keypoint']
        assert keypoint.dtype == np.float32 and np.isfinite(keypoint).all()
        assert keypoint.shape == (NUM_PERSONS[clip['label']], clip['total_frames'], 25, 3)
        assert 40 <= clip['total_frames'] <= 150
    label = {a['frame_dir']: a['label'] for a in small['annotations']}
    people = []
    for split, count in (('xsub_train', 4), ('xsub_val', 2)):
        names = small['split'][split]
        people.append({name[name.index('P') : name.index('A')] for name in names})
        assert len(people[-1]) == count
        assert {label[name] for name in names} == set(range(len(CLASS_NAMES)))
    assert not people[0] & people[1]


def test_partner_is_of_the_same_split():
    """A subject's bones give it away: no body is seen in both splits."""
    data = make_annotations(6, 6, seed=1, noise=False)
    shanks = dict(xsub_train=set(), xsub_val=set())
    for clip in data['annotations']:
        split = 'xsub_val' if clip['frame_dir'] in data['split']['xsub_val'] else 'xsub_train'
        length = np.linalg.norm(clip['keypoint'][:, 0, 13] - clip['keypoint'][:, 0, 14], axis=-1)
        shanks[split].update(length.round(4).tolist())
    assert len(shanks['xsub_train']) == 4 and len(shanks['xsub_val']) == 2
    assert not shanks['xsub_train'] & shanks['xsub_val']


def test_bones_keep_their_length():
    first, second = np.array(get_layout('ntu-25').bones).T
    for label, name in enumerate(CLASS_NAMES):
        clip = clean_clip(label, 7)
        length = np.linalg.norm(clip[:, :, first] - clip[:, :, second], axis=-1)
        still = np.broadcast_to(length[:, :1], length.shape)
        np.testing.assert_allclose(length, still, atol=1e-5, err_msg=name)
        assert length.min() > 0.02 and length.max() < 0.6


def test_knees_bend_forward_and_left_is_left():
    """In the body's own axes: right, up, and forward from both."""
    for name in ('squat', 'march on the spot', 'sit down', 'kick'):
        person = clean_clip(CLASS_NAMES.index(name), 7)[0].astype(float)
        right = person[:, 16] - person[:, 12]
        up = person[:, 1] - person[:, 0]
        forward = np.cross(up, right)
        for hip, knee, ankle, foot in ((12, 13, 14, 15), (16, 17, 18, 19)):
            bend = person[:, knee] - (person[:, hip] + person[:, ankle]) / 2
            assert ((bend * forward).sum(-1) > 0).all(), name
            toes = person[:, foot] - person[:, ankle]
            assert ((toes * forward).sum(-1) > 0).mean() > 0.9, name
        # Camera space: who faces the camera has the right side at larger x.
        assert forward[0, 2] < 0


def test_feet_stand_on_the_floor(monkeypatch):
    monkeypatch.setattr(generator.Camera, 'view', lambda self, joints: joints)
    floor = draw_subject(0, 0).bones['ankle']
    for label, name in enumerate(CLASS_NAMES):
        clip = clean_clip(label, 5, partner=0)
        ankle = clip[:, :, [14, 18], 1]
        assert clip[..., 1].min() > -0.03, name  # toes of a pointed foot
        assert ankle.min() > floor - 0.005, name
        lifted = ankle.min(-1).max() - floor
        assert lifted > 0.05 if name == 'jump' else lifted < 0.02, name


def test_rotations_against_matrix_exponential():
    for axis, rotation in enumerate((rot_x, rot_y, rot_z)):
        skew = np.cross(np.eye(3)[axis], np.eye(3)).T * 0.7
        np.testing.assert_allclose(rotation(np.array([0.7]))[0], expm(skew), atol=1e-12)


def test_too_few_is_an_error_that_names_the_argument():
    with pytest.raises(ValueError, match='num_subjects=2 .* at least 3'):
        make_annotations(clips_per_class=3, num_subjects=2)


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
    with pytest.raises(SystemExit, match='clips_per_class=2'):
        run(dst, '--clips-per-class', 2)
    with pytest.raises(SystemExit, match=r'demo\.txt: an annotation file ends in \.pkl'):
        run(tmp_path / 'demo.txt')
    assert dst.read_bytes() == before
