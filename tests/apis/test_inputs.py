"""Clips are the same in whatever form they come."""

import json
import zipfile

import numpy as np
import pytest

from stars_mm.apis import inputs
from stars_mm.apis.inputs import ReadOptions, draw_examples, labeled, read_clips
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.layouts import get_layout

LAYOUT = get_layout('ntu-25')


@pytest.fixture
def body():
    rng = np.random.default_rng(0)
    return rng.standard_normal((1, 9, 25, 3)).astype(np.float32)


def as_csv(body, header: bool) -> str:
    names = [f'{joint}_{axis}' for joint in LAYOUT.joints for axis in 'xyz']
    rows = [','.join(map(repr, frame.ravel().tolist())) for frame in body[0]]
    return '\n'.join([','.join(names)] * header + rows)


def write(folder, kind: str, body):
    path = folder / f'wave.{kind}'
    if kind == 'npy':
        np.save(path, body)
    elif kind == 'json':
        path.write_text(json.dumps(dict(keypoints=body.tolist())))
    elif kind in ('csv', 'tsv'):
        text = as_csv(body, header=False)
        path.write_text(text.replace(',', '\t') if kind == 'tsv' else text)
    else:
        clip = dict(frame_dir='wave', label=0, keypoint=body, total_frames=9)
        save_annotations(str(path), [clip], {}, class_names=['wave'], layout='ntu-25')
    return path


@pytest.mark.parametrize('kind', ['npy', 'json', 'csv', 'tsv', 'pkl', 'npz'])
def test_every_kind_of_file_gives_the_array(tmp_path, body, kind):
    (clip,) = read_clips(str(write(tmp_path, kind, body)), ReadOptions(layout='ntu-25'))
    assert clip.name == 'wave' and clip.layout.name == 'ntu-25'
    np.testing.assert_array_equal(clip.keypoint, body)


def test_header_says_the_layout(tmp_path, body):
    (tmp_path / 'a.csv').write_text(as_csv(body, header=True))
    (clip,) = read_clips(tmp_path / 'a.csv', ReadOptions())
    assert clip.layout.name == 'ntu-25'


@pytest.mark.parametrize('kind', ['npy', 'csv', 'json'])
def test_the_only_layout_that_fits_is_taken_with_a_warning(tmp_path, body, kind):
    path = write(tmp_path, kind, body)
    (clip,) = read_clips(path, ReadOptions())
    assert clip.layout.name == 'ntu-25'
    np.testing.assert_array_equal(clip.keypoint, body)
    (clip,) = read_clips(body, ReadOptions())
    assert clip.layout.name == 'ntu-25'


def test_numbers_in_powers_of_ten_are_no_names(tmp_path):
    """As numpy.savetxt writes them: 60 numbers a frame are 20 joints in 3D, or 15 with confidences;
    the usual layout decides."""
    path = tmp_path / 'a.csv'
    np.savetxt(path, np.random.rand(9, 60), delimiter=',')
    with pytest.raises(ValueError, match='what are the joints'):
        list(read_clips(path, ReadOptions()))
    (clip,) = read_clips(path, ReadOptions(usual_layout='kinect-20'))
    assert clip.keypoint.shape == (1, 9, 20, 3) and clip.layout.name == 'kinect-20'


@pytest.mark.parametrize(
    ('shape', 'layout'),
    [((9, 17, 2), 'coco-17'), ((9, 17, 3), 'h36m-17'), ((9, 20, 3), 'kinect-20')],
)
def test_coordinates_decide_among_as_many_joints(shape, layout):
    (clip,) = read_clips(np.random.rand(*shape), ReadOptions())
    assert clip.layout.name == layout


def test_guessing_says_so(body, monkeypatch):
    said = []
    monkeypatch.setattr(inputs, 'print_log', lambda *message: said.append(message[0]))
    monkeypatch.setattr(inputs, '_GUESSED', set())
    list(read_clips([body, body], ReadOptions()))
    assert len(said) == 1 and 'taken for ntu-25' in said[0]
    said.clear()
    list(read_clips(body, ReadOptions(layout='ntu-25')))
    assert not said


@pytest.mark.parametrize('kind', ['npy', 'csv', 'json'])
def test_where_several_layouts_fit_the_remedy_is_named(tmp_path, kind):
    path = write(tmp_path, kind, np.random.rand(1, 9, 15, 3).astype(np.float32))
    with pytest.raises(
        ValueError, match=rf'wave\.{kind}: what are the joints\? .*kard-15, cad60-15'
    ):
        list(read_clips(path, ReadOptions()))
    with pytest.raises(ValueError, match='array.*what are the joints'):
        list(read_clips(np.random.rand(9, 4, 3), ReadOptions()))


def test_scores_end_with_their_clip(tmp_path, body):
    score = np.ones(body.shape[:3], '>f8')
    clip = dict(frame_dir='a', keypoint=body, keypoint_score=score, total_frames=3)
    save_annotations(str(tmp_path / 'a.npz'), [clip], {}, layout='ntu-25')
    (found,) = read_clips(tmp_path / 'a.npz', ReadOptions())
    assert found.keypoint.shape[:3] == found.score.shape == (1, 3, 25)
    assert found.score.dtype == np.float32


def test_folder_gives_labels_and_an_iterable_all(tmp_path, body):
    for label in ('sit', 'wave'):
        (tmp_path / label).mkdir()
        np.save(tmp_path / label / 'a.npy', body)
    clips = list(read_clips([tmp_path, body], ReadOptions(layout='ntu-25')))
    assert [clip.label for clip in clips] == ['sit', 'wave', None]
    assert [clip.name for clip in clips] == ['sit/a', 'wave/a', 'array 0']


def test_units_axes_and_missing_joints(body):
    broken = 1000 * body
    broken[0, 3, 4] = np.nan
    how = ReadOptions(layout='ntu-25', unit='mm', up='z')
    (clip,) = read_clips(broken, how)
    turned = body[..., [0, 2, 1]] * np.float32([1, 1, -1])
    turned[0, 3, 4] = (turned[0, 2, 4] + turned[0, 4, 4]) / 2
    np.testing.assert_allclose(clip.keypoint, turned, rtol=1e-5)
    assert clip.layout.unit == 'm'


def test_split_and_reader(tmp_path, body):
    clips = [dict(frame_dir=n, label=0, keypoint=body, total_frames=5) for n in 'ab']
    path = str(tmp_path / 'ann.pkl')
    save_annotations(path, clips, dict(one=['b']), layout='ntu-25')
    (clip,) = read_clips(path, ReadOptions(split='one'))
    assert clip.name == 'b' and clip.label == '0' and clip.keypoint.shape == (1, 5, 25, 3)
    with pytest.raises(ValueError, match="split='two': .* no such split"):
        list(read_clips(path, ReadOptions(split='two')))


def test_one_file_of_a_data_set(data_dir, tmp_path):
    """A recording as NTU RGB+D distributes it, alone and among the others of its folder."""
    with zipfile.ZipFile(data_dir / 'ntu60_raw.zip') as archive:
        archive.extractall(tmp_path)
    files = sorted(tmp_path.rglob('*.skeleton'))
    how = ReadOptions(reader='ntu60')
    together = {clip.name: clip for clip in read_clips(str(files[0].parent), how)}
    (alone,) = read_clips(str(files[-1]), how)
    assert alone.name == files[-1].stem and len(together) > 1
    np.testing.assert_array_equal(alone.keypoint, together[alone.name].keypoint)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.csv: there is no such file'):
        list(read_clips(str(tmp_path / 'gone.csv'), ReadOptions()))
    with pytest.raises(FileNotFoundError, match='gone'):
        list(read_clips(str(tmp_path / 'gone'), ReadOptions()))


def test_labeled_and_drawn(body):
    how = ReadOptions(layout='ntu-25')
    found = labeled({'b': [body] * 4, 'a': [body]}, how)
    assert {label: len(clips) for label, clips in found.items()} == {'b': 4, 'a': 1}
    drawn = draw_examples(found, 2, seed=0)
    assert {label: len(clips) for label, clips in drawn.items()} == {'b': 2, 'a': 1}
    with pytest.raises(ValueError, match='shots=0: give'):
        draw_examples(found, 0, seed=0)
    with pytest.raises(ValueError, match='says its class'):
        labeled([body], how)
    with pytest.raises(ValueError, match="class 'c' has no example"):
        labeled({'c': []}, how)
