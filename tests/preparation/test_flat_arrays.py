"""The annotation file as an .npz, without pickle."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from stars_mm.datasets import SkeletonDataset, load_annotations
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.flat_arrays import read_annotation_npz

SPLITS = dict(train=['clip0', 'clip1'], val=['clip2'])


def save(tmp_path, clips, splits=SPLITS, **extra) -> str:
    path = str(tmp_path / 'ann.npz')
    save_annotations(path, iter(clips), splits, **extra)
    return path


def assert_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype
            np.testing.assert_array_equal(found[key], value)
        else:
            assert (found[key], type(found[key])) == (value, type(value))


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', '>f4', 'i2'])
def test_what_is_written_is_read(tmp_path, clips, dtype):
    for clip in clips:
        clip['keypoint'] = clip['keypoint'].astype(dtype)
    for clip in clips[::2]:  # an entry that only some clips have
        clip['keypoint_score'] = np.ones(clip['keypoint'].shape[:3], 'f4')
    clips[0].update(
        boxes=np.arange(3), words=['a', 'é'], nothing=None, numbers=dict(a=1.5, b=[True, 2])
    )
    del clips[5]['keypoint']
    path = save(tmp_path, clips, names=['x', 'y'], n=np.int64(3))
    found, splits = load_annotations(path)
    assert splits == SPLITS and len(found) == len(clips)
    for clip, expected in zip(found, clips):
        assert_equal(clip, expected)
    assert read_annotation_npz(path)[2] == dict(names=['x', 'y'], n=3)
    assert os.listdir(tmp_path) == ['ann.npz']


def test_numbers_of_numpy_and_tuples_become_plain(tmp_path, clips):
    clips[0].update(label=np.int64(2), size=(4, 5), share=np.float32(0.5))
    clip = load_annotations(save(tmp_path, clips))[0][0]
    assert type(clip['label']) is int and clip['label'] == 2
    assert clip['size'] == [4, 5] and clip['share'] == 0.5


def test_read_without_this_package(tmp_path, clips):
    """As the module says, and with numpy's safe loader throughout."""
    with np.load(save(tmp_path, clips), allow_pickle=False) as file:
        assert sorted(file.files) == [
            'about',
            'format',
            'keypoint',
            'keypoint.offset',
            'keypoint.shape',
        ]
        assert file['keypoint'].dtype == np.float16
        about = json.loads(bytes(file['about']))
        for i, clip in enumerate(clips):
            start, end = file['keypoint.offset'][i : i + 2]
            np.testing.assert_array_equal(
                file['keypoint'][start:end].reshape(file['keypoint.shape'][i]), clip['keypoint']
            )
            assert about['annotations'][i]['label'] == clip['label']
        assert about['split'] == SPLITS


def test_a_compressed_file_is_read_too(tmp_path, clips):
    path = save(tmp_path, clips)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez_compressed(path, **arrays)
    for clip, expected in zip(load_annotations(path)[0], clips):
        assert_equal(clip, expected)


def test_a_data_set_is_the_same_from_either_file(tmp_path, clips, write):
    npz = SkeletonDataset(save(tmp_path, clips), [], split='train')
    pkl = SkeletonDataset(write(clips, **SPLITS), [], split='train')
    assert len(npz) == len(pkl) == 2
    for one, other in zip(npz, pkl):
        assert_equal(one, other)


@pytest.mark.parametrize(
    'entry, message',
    [
        (dict(valid={0.5: 3}), r"clip 'clip1'\['valid'\]: the key 0\.5 is no text"),
        (dict(words=np.array(['a'])), r"'clip1'\['words'\] is a ndarray.*\.pkl"),
        (dict(at=[{1}]), r"'clip1'\['at'\]\[0\] is a set, which an \.npz cannot"),
        (
            dict(keypoint=np.ones((1, 2, 5, 3), 'f4')),
            "clip 'clip1': keypoint is float32 with 4 axes, .*float16 with 4 axes",
        ),
        (dict(keypoint=np.ones((1, 2), 'f2')), 'float16 with 2 axes'),
        (dict(about=np.ones(3)), "'about' cannot be the name"),
        ({'a.shape': np.ones(3)}, r"'a\.shape' cannot be the name"),
    ],
)
def test_what_it_cannot_keep_is_refused(tmp_path, clips, entry, message):
    clips[1].update(entry)
    with pytest.raises(ValueError, match=message):
        save(tmp_path, clips)
    assert not os.listdir(tmp_path)


def test_of_extra_entries_too(tmp_path, clips):
    with pytest.raises(ValueError, match=r"extra\['when'\] is a complex"):
        save(tmp_path, clips, when=1j)


def change(path, **arrays):
    with np.load(path) as file:
        np.savez(path, **{**file, **arrays})


@pytest.mark.parametrize(
    'arrays, message',
    [
        (
            dict(format=np.array('stars_mm annotations 9')),
            "format is 'stars_mm .*9'; this version reads 'stars_mm annotations 1'",
        ),
        (
            {'keypoint.shape': np.ones((3, 4), int)},
            "'keypoint' has 3 shapes and 7 offsets for 6 clips",
        ),
        ({'keypoint.shape': np.ones((6, 4), int)}, 'cannot reshape'),
        (dict(other=np.ones(3)), r'other\.offset'),
        (dict(about=np.frombuffer(b'{"split"', np.uint8)), 'Expecting'),
        (dict(about=np.frombuffer(b'[]', np.uint8)), 'indices must be'),
        (
            dict(
                about=np.frombuffer(b'{"annotations": [1, 2], "split": {}, "extra": {}}', np.uint8)
            ),
            'for 2 clips',
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path, clips, arrays, message):
    path = save(tmp_path, clips)
    change(path, **arrays)
    with pytest.raises(
        ValueError,
        match=rf'ann\.npz: is no readable.*'
        f'{message}',
    ):
        load_annotations(path)


def test_a_cut_off_file_is_named(tmp_path, clips):
    path = save(tmp_path, clips)
    content = open(path, 'rb').read()
    for cut in (content[:-50], content[:30], b''):
        with open(path, 'wb') as file:
            file.write(cut)
        with pytest.raises(ValueError, match=r'ann\.npz: is no readable'):
            load_annotations(path)


def test_a_pickle_in_it_is_not_opened(tmp_path, clips):
    path = save(tmp_path, clips)
    change(path, keypoint=np.array([os.getcwd], object))
    with pytest.raises(ValueError, match='allow_pickle'):
        load_annotations(path)
    with open(path, 'wb') as file:  # np.load takes it for a pickle
        pickle.dump(os.getcwd, file)
    with pytest.raises(ValueError, match=r'ann\.npz: is no readable'):
        load_annotations(path)


def test_other_arrays_are_named(tmp_path):
    path = str(tmp_path / 'other.npz')
    np.savez(path, a=1, b=2)
    with pytest.raises(
        ValueError,
        match=r'other\.npz: is no annotation file: '
        "it has a, b, and 'format' and 'about' are needed",
    ):
        load_annotations(path)
    with zipfile.ZipFile(path, 'w'):
        pass
    with pytest.raises(ValueError, match='it has nothing'):
        load_annotations(path)
    with pytest.raises(FileNotFoundError, match='no such file'):
        load_annotations(str(tmp_path / 'none.npz'))
