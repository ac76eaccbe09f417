"""The demo data: format, bodies, floor, and the command that writes it."""

import pickle
import runpy

import numpy as np
import pytest
from scipy.linalg import expm

from stars_mm.demo import CLASS_NAMES, NUM_PERSONS, body, draw_subject, make_annotations, make_clip
from stars_mm.demo.kinematics import rot_x, rot_y, rot_z

# Kinect v2's tree, from the sensor's joint table: whom each joint hangs on.
PARENTS = [1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 20, 7, 6, 11, 10]
LIMBS = [(4, 5, 6), (8, 9, 10), (12, 13, 14), (16, 17, 18)]


@pytest.fixture(scope='module')
def clean():
    """Three clips of every class without the tracker's errors."""
    people = tuple(draw_subject(0, index) for index in range(4))

    def take(label, number):
        persons = people[number : number + NUM_PERSONS[label]]
        return make_clip(label, persons, np.random.default_rng([7, label, number]), noise=False)

    return {name: [take(label, n) for n in range(3)] for label, name in enumerate(CLASS_NAMES)}


def test_annotation_file_is_split_by_subject():
    """A subject's bones give it away: no body, partner or not, is seen in both splits."""
    data = make_annotations(6, 6, seed=1, noise=False)
    names = [clip['frame_dir'] for clip in data['annotations']]
    assert len(set(names)) == len(names) == 6 * len(CLASS_NAMES)
    assert data['class_names'] == list(CLASS_NAMES)
    where = {name: split for split, own in data['split'].items() for name in own}
    assert sorted(where) == sorted(names)
    people, shanks, classes = ({split: set() for split in data['split']} for _ in range(3))
    for name, clip in zip(names, data['annotations']):
        keypoint, split = clip['keypoint'], where[name]
        people[split].add(name[name.index('P') : name.index('A')])
        classes[split].add(clip['label'])
        assert keypoint.dtype == np.float32 and np.isfinite(keypoint).all()
        assert keypoint.shape == (NUM_PERSONS[clip['label']], clip['total_frames'], 25, 3)
        assert 40 <= clip['total_frames'] <= 150
        for person in keypoint:
            shank = np.linalg.norm(person[0, 13] - person[0, 14])
            shanks[split].add(round(float(shank), 4))
    assert classes['xsub_train'] == classes['xsub_val'] == set(range(len(CLASS_NAMES)))
    for seen in (people, shanks):
        assert (len(seen['xsub_train']), len(seen['xsub_val'])) == (4, 2)
        assert not seen['xsub_train'] & seen['xsub_val']


def test_bodies_move_as_bodies_can(clean):
    """Bones keep their length, elbows and knees their range, and no joint is faster than a
    hand (a throw is about 10 m/s)."""
    for name, clips in clean.items():
        for clip in clips:
            length = np.linalg.norm(np.delete(clip - clip[:, :, PARENTS], 20, axis=2), axis=-1)
            np.testing.assert_allclose(length, length[:, :1] + 0 * length, atol=1e-5, err_msg=name)
            assert length.min() > 0.02 and length.max() < 0.6
            for root, middle, end in LIMBS:
                upper = clip[:, :, middle] - clip[:, :, root]
                lower = clip[:, :, end] - clip[:, :, middle]
                lengths = np.linalg.norm(upper, axis=-1) * np.linalg.norm(lower, axis=-1)
                assert ((upper * lower).sum(-1) / lengths).min() > np.cos(np.deg2rad(150)), name
            speed = 30 * np.linalg.norm(np.diff(clip, axis=1), axis=-1)
            assert speed.max() < 12, name


def test_knees_bend_forward_and_left_is_left(clean):
    """In the body's own axes: right, up, and forward from both."""
    for name in ('squat', 'march on the spot', 'sit down', 'kick'):
        for clip in clean[name]:
            person = clip[0].astype(float)
            forward = np.cross(person[:, 1] - person[:, 0], person[:, 16] - person[:, 12])
            for hip, knee, ankle, foot in ((12, 13, 14, 15), (16, 17, 18, 19)):
                bend = person[:, knee] - (person[:, hip] + person[:, ankle]) / 2
                assert ((bend * forward).sum(-1) > 0).all(), name
                toes = person[:, foot] - person[:, ankle]
                assert ((toes * forward).sum(-1) > 0).mean() > 0.9, name
        # Camera space: who faces the camera has the right side at larger x.
        assert forward[0, 2] < 0


def test_feet_stand_on_the_floor(monkeypatch):
    monkeypatch.setattr('stars_mm.demo.generator.Camera.view', lambda self, joints: joints)
    subject = draw_subject(0, 0)
    floor = subject.bones['ankle']
    for label, name in enumerate(CLASS_NAMES):
        persons = (subject, subject)[: NUM_PERSONS[label]]
        clip = make_clip(label, persons, np.random.default_rng([5, label]), noise=False)
        ankle = clip[:, :, [14, 18], 1]
        assert clip[..., 1].min() > -0.03, name  # toes of a pointed foot
        assert ankle.min() > floor - 0.005, name
        if name == 'jump':
            assert ankle.min(-1).max() > floor + 0.05
        else:
            assert ankle.min(-1).max() < floor + 0.02, name


def test_noise_leaves_the_motion_alone():
    people = (draw_subject(0, 0),)
    clean, noisy = (make_clip(0, people, np.random.default_rng(2), own) for own in (False, True))
    error = np.abs(noisy - clean)
    # Centimetres at the trunk, and never the same joint twice.
    assert 0.004 < np.median(error[:, :, [0, 1, 20]]) < 0.03
    assert (error > 0).mean() > 0.99


def test_rotations_against_matrix_exponential():
    for axis, rotation in enumerate((rot_x, rot_y, rot_z)):
        skew = np.cross(np.eye(3)[axis], np.eye(3)).T * 0.7
        np.testing.assert_allclose(rotation(np.array([0.7]))[0], expm(skew), atol=1e-12)


def test_subjects_differ_and_are_people():
    people = [draw_subject(0, index) for index in range(18)]
    legs = [person.leg for person in people]
    assert len(set(legs)) == 18 and 0.65 < min(legs) < max(legs) < 1.05
    assert {person.hand for person in people} == {body.LEFT, body.RIGHT}


def test_command(repo_root, tmp_path, monkeypatch, capsys):
    main = runpy.run_path(str(repo_root / 'tools/data/make_demo.py'))['main']

    def run(*args):
        monkeypatch.setattr('sys.argv', ['make_demo.py', *map(str, args)])
        main()

    dst = tmp_path / 'new' / 'demo.pkl'
    run(dst, '--clips-per-class', 3, '--subjects', 3, '--seed', 5)
    assert '45 clips (xsub_train 30, xsub_val 15)' in capsys.readouterr().out
    written, other = pickle.loads(dst.read_bytes()), make_annotations(3, 3, seed=6)
    np.testing.assert_equal(written, make_annotations(3, 3, seed=5))
    shapes = [[clip['keypoint'].shape for clip in data['annotations']] for data in (written, other)]
    assert shapes[0] != shapes[1]
    for options, message in (
        (['--clips-per-class', 2], 'clips_per_class=2 .* at least 3'),
        (['--subjects', 2], 'num_subjects=2 .* at least 3'),
    ):
        with pytest.raises(SystemExit, match=message):
            run(dst, *options)
    with pytest.raises(SystemExit):
        run(tmp_path / 'demo.txt')
    assert 'demo.txt has to end in .pkl' in capsys.readouterr().err
