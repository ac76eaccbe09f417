"""The annotation file as an .npz, without pickle."""

import json
import os
import pickle

import numpy as np
import pytest

from stars_mm.datasets import load_annotations, save_annotations
from stars_mm.preparation.flat_arrays import read_annotation_npz

SPLITS = dict(train=['clip0', 'clip1'], val=['clip2'])


def save(tmp_path, clips, **extra) -> str:
    path = str(tmp_path / 'ann.npz')
    save_annotations(path, iter(clips), SPLITS, **extra)
    return path


def assert_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype
            np.testing.assert_array_equal(found[key], value)
        else:
            assert (found[key], type(found[key])) == (value, type(value))


@pytest.mark.parametrize('dtype', ['f2', '>f4', 'i2'])
def test_what_is_written_is_read(tmp_path, clips, dtype):
    for clip in clips:
        clip['keypoint'] = clip['keypoint'].astype(dtype)
    for clip in clips[::2]:  # an entry that only some clips have
        clip['keypoint_score'] = np.ones(clip['keypoint'].shape[:3], 'f4')
    numbers = {'a': 1.5, '$b': [True, 2]}
    clips[0].update(boxes=np.arange(3), words=['a', 'é'], nothing=None, numbers=numbers)
    clips[1].update(label=np.int64(2), size=(4, 5), share=np.float32(0.5))
    del clips[5]['keypoint']
    path = save(tmp_path, clips, names=['x', 'y'], n=np.int64(3))
    found, splits = load_annotations(path)
    assert splits == SPLITS and len(found) == len(clips)
    clips[1].update(label=2, size=[4, 5], share=0.5)  # numbers and tuples become plain
    for clip, expected in zip(found, clips):
        assert_equal(clip, expected)
    assert read_annotation_npz(path)[2] == dict(names=['x', 'y'], n=3)
    assert os.listdir(tmp_path) == ['ann.npz']


def test_read_without_this_package_and_compressed(tmp_path, clips):
    """As the module says, and with numpy's safe loader throughout."""
    path = save(tmp_path, clips)
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    assert set(arrays) == {'about', 'format', 'keypoint', 'keypoint.offset', 'keypoint.shape'}
    assert arrays['keypoint'].dtype == np.float16
    assert str(arrays['format']) == 'stars_mm annotations 1'
    about = json.loads(bytes(arrays['about']))
    for i, clip in enumerate(clips):
        start, end = arrays['keypoint.offset'][i : i + 2]
        np.testing.assert_array_equal(
            arrays['keypoint'][start:end].reshape(arrays['keypoint.shape'][i]), clip['keypoint']
        )
        assert about['annotations'][i]['label'] == clip['label']
    assert about['split'] == SPLITS
    np.savez_compressed(path, **arrays)
    for clip, expected in zip(load_annotations(path)[0], clips):
        assert_equal(clip, expected)


@pytest.mark.parametrize(
    'entry, message',
    [
        (dict(valid={0.5: 3}), r"clip 'clip1'\['valid'\]: the key 0\.5 is a float.*\.pkl"),
        (dict(words=np.array(['a'])), r"'clip1'\['words'\] is a ndarray.*\.pkl"),
        (dict(at=[{1}]), r"'clip1'\['at'\]\[0\] is a set, which cannot.*\.pkl"),
        (dict(about=np.ones(3)), r"'clip1'\['about'\] is a ndarray"),
        (dict(keypoint=np.ones((1, 2, 5, 3), 'f4')), 'clip number 1: .*float32 .*float16 with 4'),
        (dict(keypoint=np.ones((1, 2), 'f2')), 'float16 with 2 axes'),
    ],
)
def test_what_it_cannot_keep_is_refused(tmp_path, clips, entry, message):
    clips[1].update(entry)
    with pytest.raises(ValueError, match=message):
        save(tmp_path, clips)
    with pytest.raises(ValueError, match=r"extra\['when'\] is a complex"):
        save(tmp_path, clips[:1], when=1j)
    assert not os.listdir(tmp_path)


def json_bytes(value):
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


@pytest.mark.parametrize(
    'key, change, message',
    [
        ('format', lambda a: np.array('x 9'), "its format is not 'stars_mm annotations 1'"),
        ('keypoint.shape', lambda a: a[:3], "'keypoint': .*7 offsets and 3 shapes"),
        ('keypoint.shape', lambda a: a[:, ::-1] + 1, 'do not fit 6 clips'),
        ('keypoint.offset', lambda a: a + 1, 'do not fit'),
        ('keypoint.offset', lambda a: a[[0, 2, 1, 3, 4, 5, 6]], 'do not fit'),
        ('keypoint', lambda a: a[:-1], 'do not fit'),
        ('keypoint', lambda a: a.astype(object), 'dtype object'),
        ('other', lambda a: np.ones(3), r'other\.offset'),
        ('about', lambda a: a[:9], 'Unterminated|Expecting'),
        ('about', lambda a: json_bytes(dict(annotations=[{}, {}], split={}, extra={})), '2 clips'),
    ],
)
def test_a_broken_file_is_named(tmp_path, clips, key, change, message):
    path = save(tmp_path, clips)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, key: change(arrays.get(key))})
    with pytest.raises(ValueError, match=rf'ann\.npz: .*({message})'):
        load_annotations(path)


def test_other_files_are_named_and_a_pickle_not_opened(tmp_path, clips):
    path = save(tmp_path, clips)
    content = open(path, 'rb').read()
    # np.load takes the last one for a pickle
    for wrong in (content[:-50], b'', pickle.dumps(os.getcwd)):
        with open(path, 'wb') as file:
            file.write(wrong)
        with pytest.raises(ValueError, match=r'ann\.npz: .*'):
            load_annotations(path)
    for arrays, what in ((dict(a=1, b=2), 'a, b. Make'), (dict(x_train=1), 'x_train, .*of MAMP')):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=f'is no annotation file: it holds {what}'):
            load_annotations(path)
    with pytest.raises(FileNotFoundError, match='no such file'):
        load_annotations(str(tmp_path / 'none.npz'))
