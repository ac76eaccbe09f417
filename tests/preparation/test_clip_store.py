"""ClipStore: the file of arrays that is mapped into memory."""

import copy
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from stars_mm.preparation import clip_store
from stars_mm.preparation.clip_store import ClipStore, Source, Stamp, write_clip_store

SOURCE = Source(bytes(range(32)), Stamp(3, 4, 5))


def mixed_clips() -> list:
    """Clips whose entries differ in what they are."""
    rng = np.random.default_rng(0)
    return [
        dict(
            frame_dir='a',
            label=1,
            img_shape=(4, 5),
            keypoint=rng.standard_normal((2, 7, 5, 3)).astype(np.float16),
            keypoint_score=rng.random((2, 7, 5)).astype(np.float32),
        ),
        dict(frame_dir='b', label=np.arange(2), keypoint=rng.standard_normal((1, 9, 5, 3))),
        dict(frame_dir='c', keypoint=[[1]], words=np.array([['x']]), box_score=np.ones((2, 3))),
        dict(frame_dir='d', label=None, keypoint=np.zeros((1, 0, 5, 3), '>f4')),
        dict(
            frame_dir='e',
            keypoint=np.asfortranarray(rng.integers(0, 9, (2, 3, 5, 3))).astype(np.int16),
        ),
    ]


@pytest.fixture
def path(tmp_path) -> Path:
    write_clip_store(tmp_path / 'a.map', mixed_clips(), SOURCE, dict(split=dict(all=['a']), note=3))
    return tmp_path / 'a.map'


def test_gives_back_what_was_written(path):
    store = ClipStore(path)
    clips = mixed_clips()
    about = store.read_about()
    assert len(store) == len(clips) == len(about['clips'])
    assert store.source == SOURCE
    assert (about['split'], about['note']) == (dict(all=['a']), 3)
    mapped = []
    for number, clip in enumerate(clips):
        views = store[number]
        mapped.append(set(views))
        assert {**about['clips'][number], **views}.keys() == clip.keys()
        for key, value in clip.items():
            found = views.get(key, about['clips'][number].get(key))
            np.testing.assert_array_equal(found, value)
            assert getattr(found, 'dtype', None) == getattr(value, 'dtype', None)
    assert mapped == [
        {'keypoint', 'keypoint_score'},
        {'keypoint'},
        set(),
        {'keypoint'},
        {'keypoint'},
    ]
    assert about['clips'][0]['img_shape'] == (4, 5)
    assert store.lengths.tolist() == [7, 9, 0, 0, 3]


def test_views_are_aligned_and_cannot_be_written(path):
    store = ClipStore(path)
    view = store[0]['keypoint']
    assert view.ctypes.data % 64 == 0 and view.flags.c_contiguous
    with pytest.raises(ValueError, match='read-only'):
        view[:] = 0
    own = store.read(0)['keypoint']
    own[:] = 0
    assert store[0]['keypoint'].any()


def test_copies_share_the_map_and_processes_open_it_again(path):
    store = ClipStore(path)
    assert copy.deepcopy(dict(store=store))['store'] is store
    other = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(other[0]['keypoint'], store[0]['keypoint'])
    write_clip_store(path, mixed_clips(), SOURCE._replace(sha256=bytes(32)), {})
    with pytest.raises(ValueError, match=r'a\.map: was made anew while'):
        pickle.loads(pickle.dumps(store))


def test_another_stamp(path):
    ClipStore(path).restamp(Stamp(3, 6, 7))
    assert ClipStore(path).source == Source(SOURCE.sha256, Stamp(3, 6, 7))
    np.testing.assert_array_equal(ClipStore(path)[0]['keypoint'], mixed_clips()[0]['keypoint'])


@pytest.mark.parametrize(
    'spoil, message',
    [
        (lambda content: content[:-1], 'is cut off'),
        (lambda content: content + b'1', 'is cut off'),
        (lambda content: content[:50], 'is no map of clips'),
        (lambda content: b'', 'is no map of clips'),
        (lambda content: b'x' + content[1:], 'is no map of clips'),
    ],
)
def test_a_damaged_file_is_refused(path, spoil, message):
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=rf'a\.map: {message}'):
        ClipStore(path)


def test_runs_nothing(path):
    """Both pickles of a map that a stranger left are refused."""
    evil = b'cbuiltins\neval\n(V1/0\ntR.'
    content = bytearray(path.read_bytes())
    columns_at, about_at, _ = clip_store._HEADER.unpack_from(content)[-3:]
    for at, act in ((columns_at, ClipStore), (about_at, lambda path: ClipStore(path).read_about())):
        spoilt = content.copy()
        spoilt[at : at + len(evil)] = evil
        path.write_bytes(spoilt)
        with pytest.raises(ValueError, match=r'a\.map: refused.*eval'):
            act(path)


def resident_kib(path: Path) -> int:
    """Memory that this process holds of a mapped file, in KiB."""
    lines = Path('/proc/self/smaps').read_text().splitlines()
    total, inside = 0, False
    for line in lines:
        if '-' in line.split()[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith('Rss:'):
            total += int(line.split()[1])
    return total


@pytest.mark.skipif(
    not os.path.exists('/proc/self/smaps'), reason='no /proc to read the memory of a process from'
)
def test_a_process_does_not_hold_what_it_has_read(tmp_path, monkeypatch):
    path = (tmp_path / 'b.map').resolve()
    clips = [dict(keypoint=np.full((1, 100, 25, 3), n, np.float32)) for n in range(256)]  # 7.5 MiB
    write_clip_store(path, clips, SOURCE, {})
    store = ClipStore(path)
    assert sum(store[n]['keypoint'].sum() for n in range(256)) > 0
    assert resident_kib(path) > 7000  # all of it has been touched
    store.let_go()
    assert resident_kib(path) == 0
    monkeypatch.setattr(clip_store, '_HELD_BYTES', 1 << 20)
    held = []
    for number in range(256):
        assert (store.read(number)['keypoint'] == number).all()
        if number % 16 == 0:  # looking takes long
            held.append(resident_kib(path))
    assert 0 < max(held) < 2500
