"""From recordings to the annotation file: resuming, processes, and what goes wrong."""

import errno
import os
from functools import partial

import numpy as np
import pytest

from stars_mm.preparation import resumable
from stars_mm.preparation.annotation_file import load_annotations
from stars_mm.preparation.clip_conversion import ConversionOptions
from stars_mm.preparation.convert import convert
from stars_mm.preparation.inspection import inspect_annotations
from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.recording import FRAMES_LACKING, Clip, Recording, RecordingSet, leave_out
from stars_mm.utils.input_error import InputError
from stars_mm.utils.safe_pickle import load_pickle

STICK = dict(name='stick', joints=['hip', 'hand', 'foot'], parents=[None, 0, 0], center=0)
STICK = get_layout(STICK)


def load(folder, number):
    """Reads the clip's file, and counts how often."""
    with open(f'{folder}/read', 'a') as log:
        log.write(f'{number}\n')
    value = float(open(f'{folder}/{number}').read())
    return Clip(np.full((4 + number % 3, 3, 3), value), None, {'odd': number % 2})


def make(tmp_path, count=70):
    found = []
    for number in range(count):
        path, file = partial(load, str(tmp_path), number), tmp_path / f'{number}'
        file.write_text(str(number + 1))
        who = (f'clip{number:03}', f'class{number % 2}', number % 5)
        found.append(Recording(*who, path, source=str(file)))
    return found


def bare(name, keypoints, **more):
    return dict(name=name, label=0, subject=name, keypoints=keypoints, **more)


def reads(tmp_path):
    done = (tmp_path / 'read').read_text().split() if (tmp_path / 'read').exists() else []
    (tmp_path / 'read').unlink(missing_ok=True)
    return sorted(map(int, done))


def test_clips_in_order(tmp_path):
    """The same file by one process and two, as .pkl and .npz."""
    recordings, dst = make(tmp_path), str(tmp_path / 'out/a.pkl')
    report = convert(recordings, dst, STICK)
    assert os.listdir(tmp_path / 'out') == ['a.pkl'] and reads(tmp_path) == list(range(70))
    content = load_pickle(dst)
    clips = content['annotations']
    assert [clip['frame_dir'] for clip in clips] == [f'clip{n:03}' for n in range(70)]
    for number, clip in enumerate(clips):
        assert (clip['label'], clip['subject']) == (number % 2, str(number % 5))
        assert clip['keypoint'].shape == (1, 4 + number % 3, 3, 3)
        assert (clip['keypoint'] == number + 1).all() and clip['keypoint'].dtype == np.float32
    assert content['split'] == report.splits and sum(map(len, report.splits.values())) == 70
    assert sum(report.notes['odd'].values()) == len(report.notes['odd']) == 35
    assert report.clips['clip004'] == (0, 5) and report.class_names == ['class0', 'class1']
    convert(recordings, str(tmp_path / 'two.pkl'), STICK, workers=2)
    assert (tmp_path / 'two.pkl').read_bytes() == (tmp_path / 'out/a.pkl').read_bytes()
    convert(recordings, str(tmp_path / 'a.npz'), STICK)
    extra = {}
    found, splits = load_annotations(str(tmp_path / 'a.npz'), extra)
    assert splits == content['split'] and extra['provenance'] == content['provenance']
    for clip, other in zip(found, clips):
        np.testing.assert_array_equal(clip.pop('keypoint'), other.pop('keypoint'))
        assert clip == other


def test_what_is_interrupted_goes_on(tmp_path, monkeypatch):
    """Only the group whose recording has changed is converted again."""
    recordings, dst = make(tmp_path), str(tmp_path / 'a.pkl')

    def fail(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('stars_mm.preparation.convert.save_annotations', fail)
        with pytest.raises(KeyboardInterrupt):
            convert(recordings, dst, STICK)
    assert len(os.listdir(f'{dst}.unfinished')) == 3 and not os.path.exists(dst)
    assert reads(tmp_path) == list(range(70))
    changed = make(tmp_path)
    changed[69].keypoints = partial(load, str(tmp_path), 3)
    assert convert(changed, dst, STICK).before == 64
    assert len(reads(tmp_path)) == 6
    assert (load_annotations(dst)[0][69]['keypoint'] == 4).all()
    assert not os.path.exists(f'{dst}.unfinished')
    convert(recordings, dst, STICK)
    assert reads(tmp_path) == list(range(70))  # a finished conversion leaves nothing behind


def test_a_group_that_is_damaged_is_converted_again(tmp_path, monkeypatch):
    """Also where it can be read, and one that is cut off or empty."""
    recordings, dst = make(tmp_path, 130), str(tmp_path / 'a.pkl')
    convert(recordings, str(tmp_path / 'b.pkl'), STICK)

    def fail(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('stars_mm.preparation.convert.save_annotations', fail)
        with pytest.raises(KeyboardInterrupt):
            convert(recordings, dst, STICK)
    reads(tmp_path)
    groups = sorted((tmp_path / 'a.pkl.unfinished').iterdir(), key=os.path.getmtime)
    contents = [group.read_bytes() for group in groups]
    value = np.float32(1).tobytes() * 8
    groups[0].write_bytes(contents[0].replace(value, np.float32(9).tobytes() * 8))
    groups[1].write_bytes(contents[1][:-1])
    groups[2].write_bytes(b'')
    assert groups[0].read_bytes() != contents[0]
    with pytest.raises(InputError, match='is damaged since it was written'):
        list(resumable.read_groups(map(str, groups)))
    assert convert(recordings, dst, STICK).before == 130 - 3 * 32
    assert reads(tmp_path) == list(range(96))
    assert (tmp_path / 'a.pkl').read_bytes() == (tmp_path / 'b.pkl').read_bytes()


def _fail_to_read(_):
    raise OSError(errno.EIO, 'Input/output error')


@pytest.mark.parametrize('invalid', ['drop', 'error'])
def test_a_disk_that_fails_ends_it(tmp_path, invalid):
    """It is no fault of the recording, as a file that is gone is."""
    recordings, dst = make(tmp_path, 4), str(tmp_path / 'a.pkl')
    options = ConversionOptions(invalid=invalid)
    recordings[1].keypoints = partial(_fail_to_read, str(tmp_path / '1'))
    with pytest.raises(OSError, match=f"Input/output error: '{tmp_path / '1'}'"):
        convert(recordings, dst, STICK, options=options)
    assert not os.path.exists(dst)
    if invalid == 'drop':
        recordings[1] = make(tmp_path, 2)[1]
        (tmp_path / '1').unlink()
        assert 'No such file' in convert(recordings, dst, STICK, options=options).dropped['clip001']


def test_what_a_group_depends_on(tmp_path):
    """Arrays, files, options and code name a group's file; what cannot be told is made anew."""
    (tmp_path / 'a').write_text('1')
    array, other = np.ones((4, 3, 3)), np.ones((4, 3, 3))
    other[3, 2, 1] = 2

    def key(keypoints, options='', name='a', scores=None):
        return resumable._key([Recording(name, 0, 0, keypoints, scores)], options)

    of_file = partial(load, str(tmp_path / 'a'))
    before = key(of_file)
    assert before == key(of_file) and key(array) == key(array.copy())
    (tmp_path / 'a').write_text('22')
    made = [before, key(of_file), key(array), key(other), key(array, options='x')]
    made += [key(array, name='b'), key(array, scores=np.ones((4, 3))), key(partial(load, 'x', 1))]
    made += [key(partial(leave_out, 'x')), key(lambda: array), key(lambda: array)]
    assert len(set(made)) == len(made)


def test_a_source_is_converted_together():
    clips = [Recording(str(n), 0, source=f'file{n // 20}') for n in range(70)]
    assert [len(group) for group in resumable._groups(clips)] == [40, 30]


def test_functions_within_functions_are_called_here(tmp_path):
    clips = (bare(str(n), lambda n=n: np.full((4, 3, 3), n + 1.0)) for n in range(40))
    convert(clips, str(tmp_path / 'a.pkl'), STICK, workers=2)
    clips, _ = load_annotations(str(tmp_path / 'a.pkl'))
    assert [clip['keypoint'][0, 0, 0, 0] for clip in clips] == list(range(1, 41))


@pytest.mark.parametrize('workers', [1, 2])
def test_bad_recordings_are_all_named(tmp_path, workers):
    recordings, dst = make(tmp_path), str(tmp_path / 'a.pkl')
    for number in (1, 66):
        (tmp_path / f'{number}').write_text('one')
    (tmp_path / '2').unlink()
    with pytest.raises(ValueError) as error:
        convert(recordings, dst, STICK, workers=workers)
    one, two, three = str(error.value).splitlines()
    assert one.startswith(f'{tmp_path / "1"}: could not convert')
    assert two.startswith(f'{tmp_path / "2"}: [Errno 2]') and f'{tmp_path / "66"}: ' in three
    assert not os.path.exists(dst)
    make(tmp_path)  # mended, it goes on from the group that was in order
    assert convert(recordings, dst, STICK).before == 32


def test_absent_persons_and_missing_joints(tmp_path):
    """Neither has a score; absent persons go, but of published arrays."""
    keypoints, scores = np.zeros((3, 4, 3, 3)), np.ones((3, 4, 3))
    keypoints[1] = 1
    keypoints[1, 1, 2, 0] = np.nan
    expected = keypoints.any(-1) * scores
    seen = np.where(np.isnan(keypoints).any(-1), 0, expected)
    options = ConversionOptions(missing='interpolate')
    for keep, persons in ((False, slice(1, 2)), (True, slice(3))):
        clips = [Recording(n, 'a', n, keypoints, scores) for n in 'xy']
        known = RecordingSet(clips, layout='stick', keep_absent=keep)
        convert(known, str(tmp_path / 'a.pkl'), STICK, options=options)
        found = load_annotations(str(tmp_path / 'a.pkl'))[0][0]
        assert (found['keypoint'] == expected[persons, ..., None]).all()
        np.testing.assert_array_equal(found['keypoint_score'], seen[persons])


def test_what_a_data_set_says_of_itself(tmp_path):
    clips = [
        Recording(name, 'b', None, np.full((4, 20, 3), float(value)), split=split)
        for name, value, split in zip('wxyz', (1, 2, 2, 3), ['train', 'train', 'val', 'val'])
    ]
    said = dict(unit='mm', class_names=['a', 'b'], distinct=('val',), remarks=['something is odd'])
    known = RecordingSet(clips, 'A set', 'kinect-20', **said)
    text = convert(known, str(tmp_path / 'a.pkl')).as_text()
    assert 'something is odd' in text and "note: train has no clip of 'a'" in text
    content = load_pickle(str(tmp_path / 'a.pkl'))
    assert content['split'] == dict(train=['w', 'x'], val=['y', 'z'], val_distinct=['z'])
    assert content['class_names'] == ['a', 'b'] and content['layout'] == 'kinect-20'
    assert [clip['label'] for clip in content['annotations']] == [1] * 4
    assert content['annotations'][0]['keypoint'].max() == np.float32(0.001)
    assert content['provenance']['dataset'] == 'A set'


ONES = np.ones((4, 3, 3))


@pytest.mark.parametrize(
    'recordings, message',
    [
        ([bare('a', ONES), bare('a', ONES, source='b')], "b: 'a' is the name of clip 'a'"),
        ([bare('a', ONES), bare('b', ONES[..., :2])], "clip 'b': has 3 joints, 2 coordinates and"),
        ([bare('a', ONES), bare('b', ONES[:, :2])], "has 2 joints; layout 'stick' has 3"),
        ([bare('a', partial(leave_out, 'odd'))], r"no clip is left: 1 were dropped, .*'odd'"),
        ([3], 'the reader yields int, no Recording'),
        ([bare('a', ONES[None, :0])], r'keypoints have shape \(1, 0, 3, 3\)'),
        ([bare('a', ONES, scores=np.ones((4, 1)))], r'scores have shape \(1, 4, 1\)'),
        ([bare('a', [[['a', 'b']]])], 'no numbers'),
        ([bare('a', ONES * 0)], "clip 'a': shows no body in any frame"),
        ([bare('a', ONES * 1e300)], r'holds 1e\+300'),
    ],
)
def test_what_cannot_be_converted(tmp_path, recordings, message):
    with pytest.raises(ValueError, match=message):
        convert(recordings, str(tmp_path / 'a.pkl'), STICK)
    assert not (tmp_path / 'a.pkl').exists()


def test_arguments(tmp_path):
    for name, options, message in (
        ('a.h5', dict(layout=STICK), r'a\.h5: an annotation file ends'),
        ('a.pkl', {}, 'give --layout'),
        ('a.pkl', dict(layout=STICK, workers=0), 'workers=0'),
    ):
        with pytest.raises(ValueError, match=message):
            convert([], str(tmp_path / name), **options)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize('place', ['resumable.pickle.dump', 'convert.save_annotations'])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, place):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(f'stars_mm.preparation.{place}', full)
    with pytest.raises(OSError, match='No space left'):
        convert(make(tmp_path, 5), str(tmp_path / 'out/a.pkl'), STICK)
    assert not os.listdir(tmp_path / 'out')


def _end(_):
    os._exit(1)


def test_a_worker_that_is_ended_is_said(tmp_path):
    with pytest.raises(RuntimeError, match='ended from outside'):
        resumable.convert_in_groups(make(tmp_path), _end, '', str(tmp_path / 'a'), workers=2)


@pytest.mark.parametrize('suffix', ['pkl', 'npz'])
def test_labels_that_are_not_known(tmp_path, suffix):
    """The absence is kept; class_names are those of the others."""
    path = str(tmp_path / f'a.{suffix}')
    clips = [Recording(f'c{n}', None, n % 2, ONES + n) for n in range(4)]
    report = convert(clips, path, STICK)
    extra = {}
    found, _ = load_annotations(path, extra)
    assert all('label' not in clip for clip in found) and 'class_names' not in extra
    assert report.class_names == [] and report.clips['c3'] == (None, 4)
    clips[2].label = 'wave'
    text = convert(clips, path, STICK).as_text()
    found, _ = load_annotations(path, extra)
    assert [clip.get('label') for clip in found] == [None, None, 0, None]
    assert extra['class_names'] == ['wave']
    rows = [line.split() for line in text.splitlines()]
    assert ['no', 'label', '1', '2'] in rows or ['no', 'label', '2', '1'] in rows


def walking(number, frames=20):
    """A body of 1.5 m that goes on and waves."""
    rng, time = np.random.default_rng(number), np.linspace(0, 3, frames)[:, None, None]
    return [[0, 1, 0], [0, 1.5, 0], [0, 0, 0]] + 0.1 * np.sin(time + rng.random((1, 3, 3)))


def test_the_report_says_what_inspecting_the_file_says(tmp_path):
    path = str(tmp_path / 'a.pkl')
    clips = [Recording(f'c{n}', n % 2, n % 4, walking(n)) for n in range(16)]
    clips[5].keypoints = clips[4].keypoints  # another subject's: across the splits, perhaps
    clips[6].keypoints[9, 1] += 2  # a leap
    clips[7].keypoints = clips[7].keypoints[:1].repeat(20, 0)
    extra = {}
    report = convert(clips, path, STICK)
    annotations, splits = load_annotations(path, extra)
    found = inspect_annotations(annotations, splits, extra['class_names'], path, unit='m')
    assert report.warnings() == found.warnings and not found.faults
    assert {'copy_label', 'jump', 'still'} <= {one.kind for one in found.warnings}
    assert report.inspection.as_dict() == found.as_dict()


def test_what_is_to_be_looked_at_the_gravest_first(tmp_path):
    gaps = {FRAMES_LACKING: 3}
    clips = [
        Recording(f'c{n}', 'wave', f's{n}', partial(Clip, 1000 * walking(n), None, gaps))
        for n in range(6)
    ]
    report = convert(clips, str(tmp_path / 'a.pkl'), STICK)
    text = report.as_text()
    starts = [line.split(' (')[0] for line in text.splitlines()]
    order = ['error unit', 'warning own_subject', 'warning frames_lacking', 'warning one_class']
    places = [starts.index(start) for start in order]
    assert places == sorted(places)
    assert "    'c3': 3" in text and "    'c0': 's0'" in text
    trains, tests = (report.splits[f'xsub_{part}'] for part in ('train', 'val'))
    who = ', '.join(f'{name.replace("c", "s")} (1)' for name in sorted(tests))
    assert f'xsub_val: {len(tests)} clips of {len(tests)} subjects: {who}' in text.splitlines()
    assert len(trains) + len(tests) == 6
