"""Reading and writing annotation files."""

import os
import pickle
import weakref
import zipfile

import numpy as np
import pytest

from stars_mm.preparation import annotation_file as annotation
from stars_mm.preparation.flat_arrays import read_annotation_npz


@pytest.mark.parametrize('name', ['a.pkl', 'a.npz'])
def test_a_failed_write_leaves_the_old_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b'old')
    with pytest.raises((pickle.PicklingError, AttributeError)):
        annotation.save_annotations(str(path), [lambda: None], {})
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize('name', ['a.pkl', 'a.npz'])
def test_annotations_are_written_one_at_a_time(tmp_path, name):
    """What comes of an iterator is a plain file, and none of it is kept."""
    made = []

    def clips():
        for number in range(5):
            keypoint = np.full((1, 2, 3, 3), number, np.float32)
            made.append(weakref.ref(keypoint))
            assert sum(ref() is not None for ref in made) <= 2
            yield dict(frame_dir=f'clip{number}', label=number, keypoint=keypoint, total_frames=2)

    path, note = tmp_path / 'new' / name, dict(source='here')
    splits = dict(train=['clip0'], val=['clip1', 'clip4'])
    annotation.save_annotations(str(path), clips(), splits, note=note)
    found, found_splits = annotation.load_annotations(str(path))
    assert found_splits == splits and type(found) is list
    assert os.listdir(tmp_path / 'new') == [name]
    for number, clip in enumerate(found):
        assert clip['frame_dir'] == f'clip{number}'
        assert (clip['keypoint'] == number).all()
    extra = dict(mine=1)
    assert len(annotation.load_annotations(str(path), extra)[0]) == 5
    assert extra == dict(mine=1, note=note)
    if name == 'a.pkl':
        content = pickle.loads(path.read_bytes())
        assert list(content) == ['split', 'annotations', 'note']
    else:
        assert read_annotation_npz(path)[2] == dict(note=note)
        with zipfile.ZipFile(path) as archive:  # written again, it is the same file
            assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


@pytest.mark.parametrize(
    'name, way',
    [
        ('ntu60_3d.pkl', r'https://download\.openmmlab\.com/.*/ntu60_3d\.pkl'),
        ('nw-ucla.pkl', r'run python tools/data/convert\.py .*--reader nw-ucla'),
        ('demo.pkl', r'make_demo\.py'),
        ('other.pkl', r'annotations=\[dict\(frame_dir'),
    ],
)
def test_a_missing_file_says_how_to_make_it(tmp_path, name, way):
    with pytest.raises(FileNotFoundError, match=f'{name}.*no such file.*{way}'):
        annotation.load_annotations(str(tmp_path / name))


def test_another_layout_or_type_is_named(tmp_path):
    path = tmp_path / 'a.pkl'
    for content, message in (
        (dict(split={}), "without 'annotations'"),
        (3, 'holds a int'),
        (dict(annotations=3), 'no list of dicts'),
        ([1, 2], 'no list of dicts'),
        (dict(annotations=[], split=[]), "'split' is a list"),
    ):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=message):
            annotation.load_annotations(str(path))
    with pytest.raises(ValueError, match=r"ann_file='a\.json': is no \.pkl or"):
        annotation.load_annotations('a.json')
    with pytest.raises(ValueError, match=r'ends in \.pkl'):
        annotation.save_annotations('a.json', [], {})
