"""ClipStore: arrays that are mapped into memory, and what is noticed when bits are wrong."""

import copy
import hashlib
import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from stars_mm.datasets.clip_store import ClipStore, write_clip_store
from stars_mm.utils.input_error import InputError

SOURCE = dict(sha256='ab' * 32, stamp=[3, 4, 5])
SPLITS = dict(xview_train=['a', 'b'], xsub_train=np.array(['e']))
EXTRA = dict(class_names=['x', 'y', 'z'], size=(4, 5), skeleton=dict(center=1), odd={1, 2})


def mixed_clips() -> list:
    """Clips whose entries differ in what they are."""
    rng = np.random.default_rng(0)
    integers = rng.integers(1, 9, (2, 3, 5, 3))
    return [
        dict(
            frame_dir='a',
            label=1,
            img_shape=(4, 5),
            valid={0.5: 7, '$tuple': [np.float32(0.1), np.array(2)]},
            track=rng.random(3).astype('f4'),
            keypoint=rng.standard_normal((2, 7, 5, 3)).astype(np.float16),
            keypoint_score=rng.random((2, 7, 5)).astype(np.float32),
        ),
        dict(frame_dir='b', label=np.arange(2), keypoint=rng.standard_normal((3, 9, 5, 3))),
        dict(frame_dir='c', label=np.int64(0), words=np.array([['x']]), box_score=np.ones((2, 3))),
        dict(frame_dir='d', label=9, keypoint=np.zeros((1, 0, 5, 3), '>f4')),
        dict(frame_dir='e', label=1, keypoint=np.asfortranarray(integers).astype('>i2')),
    ]


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / 'a.map').mkdir()
    write_clip_store(tmp_path / 'a.map', mixed_clips(), SPLITS, EXTRA, SOURCE)
    return tmp_path / 'a.map'


def test_gives_back_what_was_written(folder):
    store = ClipStore(folder)
    clips = mixed_clips()
    others, splits = store.read_about()
    assert splits == dict(xview_train=['a', 'b'], xsub_train=['e'])
    assert len(store) == len(clips) == len(others)
    assert store.index['source'] == SOURCE
    del clips[3]['keypoint']  # a clip without a frame
    for number, clip in enumerate(clips):
        views = store[number]
        assert set(views) == {'keypoint', 'keypoint_score'} & clip.keys()
        found = {**others[number], **views}
        assert found.keys() == clip.keys()
        for key, value in clip.items():
            assert type(found[key]) is type(value)
            np.testing.assert_array_equal(found[key], value)
            assert getattr(found[key], 'dtype', None) == getattr(value, 'dtype', None)
    assert [type(value) for value in others[0]['valid']['$tuple']] == [np.float32, np.ndarray]
    assert store.extra == {key: EXTRA[key] for key in ('class_names', 'size', 'skeleton')}
    index = json.loads((folder / 'index.json').read_text().splitlines()[1])
    assert list(index['splits'].items()) == [('xview_train', 2), ('xsub_train', 1)]
    assert list(index['faults']) == ['2', '3'] and 'NoneType' in index['faults']['2']
    wanted = dict(num_joints=5, coordinates=3, in_channels=4, num_person=3, num_classes=3)
    assert index['summary'] == wanted


@pytest.mark.parametrize('label, wanted', [(4, 5), ([0, 6], 7), (None, 2)])
def test_classes_without_names(tmp_path, make_clip, label, wanted):
    write_clip_store(tmp_path, [make_clip(1), make_clip(0, label=label)], None, {}, SOURCE)
    assert ClipStore(tmp_path).index['summary']['num_classes'] == wanted
    assert ClipStore(tmp_path).read_about()[1] is None
    with pytest.raises(ValueError, match=r"clip 'clip0'\['tags'\] is a set.*without pickle"):
        write_clip_store(tmp_path, [make_clip(0, tags={1})], None, {}, SOURCE)


def test_copies_share_the_maps_and_processes_open_them_again(folder):
    ClipStore(folder).restamp([3, 6, 7])
    store = ClipStore(folder)
    assert store.index['source'] == dict(SOURCE, stamp=[3, 6, 7])
    assert copy.deepcopy(dict(store=store))['store'] is store
    with pytest.raises(ValueError, match='read-only'):
        store[0]['keypoint'][:] = 0
    store.read(0)['keypoint'][:] = 0
    for other in (store, pickle.loads(pickle.dumps(store))):
        np.testing.assert_array_equal(other[0]['keypoint'], mixed_clips()[0]['keypoint'])
    for path in folder.iterdir():
        path.unlink()
    write_clip_store(folder, mixed_clips(), None, {}, dict(SOURCE, sha256='cd' * 32))
    with pytest.raises(ValueError, match=r'a\.map: was made anew while'):
        pickle.loads(pickle.dumps(store))


def test_a_flipped_bit_is_noticed(folder):
    """In any file, at its beginning, in its middle and at its end."""
    ClipStore(folder).verify()
    names = sorted(path.name for path in folder.iterdir())
    assert {'about.json', 'index.json', 'keypoint.npy', 'keypoint@1.npy'} < set(names)
    damaged = pytest.raises(
        (ValueError, FileNotFoundError), match=r'a\.map(: .*is made again from|/)'
    )
    for name in names:
        path = folder / name
        content = path.read_bytes()
        for at in (5, len(content) // 2, len(content) - 2):
            spoilt = bytearray(content)
            spoilt[at] ^= 4
            path.write_bytes(spoilt)
            with damaged:
                ClipStore(folder).verify()
            if name.count('.') > 1 or name.endswith('.json'):
                with damaged:
                    ClipStore(folder)
        path.write_bytes(content[:-1])
        with damaged:
            ClipStore(folder)
        path.unlink()
        with damaged:
            ClipStore(folder)
        path.write_bytes(content)
    ClipStore(folder).verify()


def same(found: list[dict], wanted: list[dict]) -> bool:
    return pickle.dumps(found) == pickle.dumps(wanted)


def read_all(folder) -> list:
    store = ClipStore(folder)
    return [store.index['summary'], *store.read_about()] + [
        store.read(n) for n in range(len(store))
    ]


def test_no_flipped_bit_gives_other_data_in_silence(folder):
    """In any file; the few that do not show are in the padding of the files' headers."""
    wanted, rng, shown = read_all(folder), random.Random(0), 0
    paths = sorted(folder.iterdir())
    for _ in range(120):
        path = rng.choice(paths)
        content = path.read_bytes()
        spoilt = bytearray(content)
        spoilt[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(spoilt)
        try:
            assert same(read_all(folder), wanted)
        except InputError as error:
            shown += 1
            assert str(folder) in str(error)
        path.write_bytes(content)
    assert same(read_all(folder), wanted)
    assert shown > 100


def rewrite(folder, change) -> None:
    """Changes what the index says, and signs it, as who forges a store would."""
    index = json.loads((folder / 'index.json').read_text().splitlines()[1])
    change(index)
    for path in folder.iterdir():
        if path.name != 'index.json' and path.name in index['files']:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            index['files'][path.name] = [path.stat().st_size, digest]
    text = json.dumps(index)
    (folder / 'index.json').write_text(f'{hashlib.sha256(text.encode()).hexdigest()}\n{text}')


def test_a_forged_store_holds_numbers_only(folder, tmp_path):
    objects = np.array([{}, []], object)
    for name in ('keypoint.npy', 'keypoint.offset.npy', 'keypoint.crc32.npy'):
        content = (folder / name).read_bytes()
        for forged in (objects, np.zeros(3, [('a', 'f4'), ('b', 'O')]), np.zeros(2, 'V8')):
            np.save(folder / name, forged)
            rewrite(folder, lambda index: None)
            with pytest.raises(InputError, match=r'a\.map: .*(dtype|do not fit)'):
                ClipStore(folder)
        with (folder / name).open('wb') as file:  # promises what it has not
            np.lib.format.write_array_header_1_0(
                file, dict(descr='<f4', fortran_order=False, shape=(1 << 60,))
            )
        rewrite(folder, lambda index: None)
        with pytest.raises(InputError, match=r'a\.map: .*bytes of float32 are'):
            ClipStore(folder)
        (folder / name).write_bytes(content)
    for change in (
        lambda index: index.update(count=10**12),
        lambda index: index.update(count='5'),
        lambda index: index['files'].update({'../index.json': [1, 'a']}),
        lambda index: index.pop('faults'),
    ):
        rewrite(folder, change)
        with pytest.raises(InputError, match=r'a\.map: '):
            ClipStore(folder)
        write_again(folder)
    for extra in ({'$tuple': []}, {'a': {'$numpy': ["['x']", None, 1]}}):
        rewrite(folder, lambda index: index.update(extra=extra))
        with pytest.raises(InputError, match=r'a\.map: '):
            ClipStore(folder).extra  # noqa: B018
        write_again(folder)
    large, wide = ['U100000000', None, 'a'], ['U1024', [2000], [''] * 2000]
    for array, count, problem in ((large, 5, 'dtype'), (wide, 9, 'many times its own size')):
        about = dict(split=None, annotations=[{'$numpy': array}] * count)
        (folder / 'about.json').write_text(json.dumps(about))
        rewrite(folder, lambda index: None)
        with pytest.raises(InputError, match=rf'a\.map: .*{problem}'):
            ClipStore(folder).read_about()


def write_again(folder) -> None:
    for path in folder.iterdir():
        path.unlink()
    write_clip_store(folder, mixed_clips(), SPLITS, EXTRA, SOURCE)
