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

KINECT_BONES = get_layout('ntu-25').bones


@pytest.fixture(scope='module')
def small():
    return make_annotations(clips_per_class=6, num_subjects=6, seed=3)


@pytest.fixture(scope='module')
def clean():
    """Three clips of every class without the tracker's errors."""
    people = tuple(draw_subject(0, index) for index in range(4))
    return {
        name: [
            make_clip(
                label,
                people[take : take + persons],
                np.random.default_rng([7, label, take]),
                noise=False,
            )
            for take in range(3)
        ]
        for label, (name, persons) in enumerate(zip(CLASS_NAMES, NUM_PERSONS))
    }


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


def test_annotation_format(small):
    names = [a['frame_dir'] for a in small['annotations']]
    assert len(set(names)) == len(names) == 6 * len(CLASS_NAMES)
    assert sorted(sum(small['split'].values(), [])) == sorted(names)
    assert small['class_names'] == list(CLASS_NAMES)
    assert len(CLASS_NAMES) >= 12 and NUM_PERSONS.count(2) >= 2
    for clip in small['annotations']:
        keypoint = clip['keypoint']
        persons, frames, joints, channels = keypoint.shape
        assert keypoint.dtype == np.float32 and np.isfinite(keypoint).all()
        assert (joints, channels) == (25, 3)
        assert persons == NUM_PERSONS[clip['label']]
        assert frames == clip['total_frames'] and 40 <= frames <= 150


def test_split_is_cross_subject_and_has_every_class(small):
    label = {a['frame_dir']: a['label'] for a in small['annotations']}
    people, classes = {}, {}
    for split, names in small['split'].items():
        people[split] = {name[name.index('P') : name.index('A')] for name in names}
        classes[split] = {label[name] for name in names}
    assert not people['xsub_train'] & people['xsub_val']
    assert len(people['xsub_train']) == 2 * len(people['xsub_val'])
    every = set(range(len(CLASS_NAMES)))
    assert classes['xsub_train'] == classes['xsub_val'] == every


def test_partner_is_of_the_same_split():
    """A subject's bones give it away: no body is seen in both splits."""
    data = make_annotations(6, 6, seed=1, noise=False)
    seen = {name: set() for name in data['split']}
    where = {n: s for s, names in data['split'].items() for n in names}
    for clip in data['annotations']:
        for person in clip['keypoint']:
            shank = np.linalg.norm(person[0, 13] - person[0, 14])
            seen[where[clip['frame_dir']]].add(round(float(shank), 4))
    assert len(seen['xsub_train']) == 4 and len(seen['xsub_val']) == 2
    assert not seen['xsub_train'] & seen['xsub_val']


def test_bones_keep_their_length(clean):
    first, second = np.array(KINECT_BONES).T
    for name, clips in clean.items():
        for clip in clips:
            length = np.linalg.norm(clip[:, :, first] - clip[:, :, second], axis=-1)
            np.testing.assert_allclose(
                length, length[:, :1].repeat(length.shape[1], 1), atol=1e-5, err_msg=name
            )
            assert length.min() > 0.02 and length.max() < 0.6


def test_knees_bend_forward_and_left_is_left(clean):
    """In the body's own axes: right, up, and forward from both."""
    for name in ('squat', 'march on the spot', 'sit down', 'kick'):
        for clip in clean[name]:
            person = clip[0].astype(float)
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
    subject = draw_subject(0, 0)
    floor = subject.bones['ankle']
    for label, name in enumerate(CLASS_NAMES):
        clip = make_clip(
            label,
            (subject, subject)[: NUM_PERSONS[label]],
            np.random.default_rng([5, label]),
            noise=False,
        )
        ankle = clip[:, :, [14, 18], 1]
        assert clip[..., 1].min() > -0.03, name  # toes of a pointed foot
        assert ankle.min() > floor - 0.005, name
        if name != 'jump':
            assert ankle.min(-1).max() < floor + 0.02, name
        else:
            assert ankle.min(-1).max() > floor + 0.05


def test_rotations_against_matrix_exponential():
    for axis, rotation in enumerate((rot_x, rot_y, rot_z)):
        skew = np.cross(np.eye(3)[axis], np.eye(3)).T * 0.7
        np.testing.assert_allclose(rotation(np.array([0.7]))[0], expm(skew), atol=1e-12)


@pytest.mark.parametrize('key', ['clips_per_class', 'num_subjects'])
def test_too_few_is_an_error_that_names_the_argument(key):
    with pytest.raises(ValueError, match=f'{key}=2 .* at least 3'):
        make_annotations(**{'clips_per_class': 3, 'num_subjects': 3, key: 2})


def test_command(repo_root, tmp_path, monkeypatch, capsys):
    def run(*args):
        monkeypatch.setattr('sys.argv', ['make_demo.py', *map(str, args)])
        runpy.run_path(str(repo_root / 'tools/data/make_demo.py'), run_name='__main__')

    dst = tmp_path / 'new' / 'demo.pkl'
    run(dst, '--clips-per-class', 3, '--subjects', 3, '--seed', 5)
    shown = capsys.readouterr().out
    assert '45 clips (xsub_train 30, xsub_val 15)' in shown
    assert [path.name for path in dst.parent.iterdir()] == ['demo.pkl']
    with dst.open('rb') as file:
        written = pickle.load(file)
    expected = make_annotations(3, 3, seed=5)
    assert written['split'] == expected['split']
    for ours, theirs in zip(expected['annotations'], written['annotations']):
        np.testing.assert_array_equal(ours['keypoint'], theirs['keypoint'])

    before = dst.read_bytes()
    with pytest.raises(SystemExit, match='clips_per_class=2'):
        run(dst, '--clips-per-class', 2)
    with pytest.raises(SystemExit, match=r'demo\.txt: an annotation file ends in \.pkl'):
        run(tmp_path / 'demo.txt')
    assert dst.read_bytes() == before
