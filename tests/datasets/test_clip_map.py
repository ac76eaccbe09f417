"""Where the map of an annotation file is, and when it is made anew."""

import errno
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest

from stars_mm.datasets import clip_map
from stars_mm.datasets.clip_map import map_places, open_clip_map


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A user's cache of its own."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def made(monkeypatch) -> list:
    """Grows by one whenever a map is made."""
    calls = []
    load = clip_map.load_annotations
    monkeypatch.setattr(
        clip_map, 'load_annotations', lambda path: (calls.append(path), load(path))[1]
    )
    return calls


@pytest.fixture
def hashed(monkeypatch) -> list:
    """Grows by one whenever a file is hashed; no file counts as small."""
    calls = []
    sha256 = clip_map.file_sha256
    monkeypatch.setattr(clip_map, 'file_sha256', lambda path: (calls.append(path), sha256(path))[1])
    monkeypatch.setattr(clip_map, '_ALWAYS_HASHED', 0)
    return calls


def first(store) -> np.ndarray:
    return store[0]['keypoint']


def test_made_once(write, clips, made):
    path = write(clips)
    for _ in range(3):
        store = open_clip_map(path)
        np.testing.assert_array_equal(first(store), clips[0]['keypoint'])
    assert len(made) == 1 and store.path == f'{path}.map'
    assert sorted(os.listdir(os.path.dirname(path))) == ['ann.pkl', 'ann.pkl.map']


def test_faults_are_kept(write, clips, made):
    clips[1]['keypoint'][:] = 0
    clips[2]['keypoint'] = None
    path = write(clips)
    for _ in range(2):
        faults = open_clip_map(path).read_about()['faults']
        assert list(faults) == [1, 2]
        assert 'zero throughout' in faults[1] and 'NoneType' in faults[2]
    assert len(made) == 1


def test_an_unchanged_file_is_not_read(write, clips, made, hashed):
    path = write(clips)
    open_clip_map(path)
    assert len(hashed) == 1
    open_clip_map(path)
    assert len(hashed) == 1
    os.utime(path, (1, 1))  # hashed, found to be the same, and noted
    open_clip_map(path)
    assert (len(made), len(hashed)) == (1, 2)
    open_clip_map(path)
    assert (len(made), len(hashed)) == (1, 2)


@pytest.mark.parametrize('small', [True, False])
def test_a_changed_file_of_the_same_size_and_time(write, clips, made, small, request):
    if not small:
        request.getfixturevalue('hashed')
    path = write(clips)
    open_clip_map(path)
    status = os.stat(path)
    time.sleep(0.02)  # a file system's clock may tick a hundred times a second
    clips[0]['keypoint'] += 1
    write(clips)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert os.stat(path).st_size == status.st_size
    np.testing.assert_array_equal(first(open_clip_map(path)), clips[0]['keypoint'])
    assert len(made) == 2


def test_a_file_of_another_size(write, clips, made, hashed):
    open_clip_map(write(clips))
    store = open_clip_map(write(clips[:3], all=['clip1']))
    assert len(store) == 3 and len(made) == 2


@pytest.mark.parametrize('content', [b'', b'stars_mm clips 1', b'x' * 500])
def test_a_damaged_map_is_made_anew(write, clips, made, content):
    path = write(clips)
    with open(f'{path}.map', 'wb') as file:
        file.write(content)
    np.testing.assert_array_equal(first(open_clip_map(path)), clips[0]['keypoint'])
    open_clip_map(path)
    assert len(made) == 1


def refuse(monkeypatch, *folders):
    """Lets nothing be written in folders."""
    whole = clip_map.written_whole

    def written_whole(path):
        if path.parent in folders:
            raise OSError(errno.EROFS, 'Read-only file system', str(path))
        return whole(path)

    monkeypatch.setattr(clip_map, 'written_whole', written_whole)


def test_a_folder_that_cannot_be_written(write, clips, made, cache, tmp_path, monkeypatch):
    path = write(clips)
    refuse(monkeypatch, tmp_path)
    for _ in range(2):
        store = open_clip_map(path)
        np.testing.assert_array_equal(first(store), clips[0]['keypoint'])
    assert len(made) == 1
    (name,) = os.listdir(cache / 'stars_mm')
    assert store.path == str(cache / 'stars_mm' / name)
    assert name.startswith('ann.pkl.') and name.endswith('.map')
    clips[0]['keypoint'] += 1
    write(clips)
    np.testing.assert_array_equal(first(open_clip_map(path)), clips[0]['keypoint'])
    assert os.listdir(cache / 'stars_mm') == [name]


def test_no_place_at_all(write, clips, cache, tmp_path, monkeypatch):
    refuse(monkeypatch, tmp_path, cache / 'stars_mm')
    with pytest.raises(
        OSError,
        match=(
            r'ann\.pkl: no place.*Read-only.*ann\.pkl\.map.*Read-only.*cache.'
            '*XDG_CACHE_HOME'
        ),
    ):
        open_clip_map(write(clips))


def test_files_of_one_name_have_maps_of_their_own(tmp_path, monkeypatch):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.pkl').write_bytes(b'')
    one, other = (map_places(str(tmp_path / f / 'x.pkl')) for f in 'ab')
    assert not set(one) & set(other) and len(one) == 2
    monkeypatch.chdir(tmp_path / 'a')
    assert map_places('x.pkl')[1] == one[1]
    (remote,) = map_places('s3://bucket/x.pkl')
    assert remote.parent == one[1].parent


def test_what_a_killed_process_left_is_removed(write, clips, tmp_path):
    path = write(clips)
    (tmp_path / 'ann.pkl.map.123.partial').write_bytes(b'half')
    (tmp_path / 'ann.pkl.map2.123.partial').write_bytes(b'of another')
    open_clip_map(path)
    assert sorted(os.listdir(tmp_path)) == ['ann.pkl', 'ann.pkl.map', 'ann.pkl.map2.123.partial']


def test_a_file_that_changes_while_it_is_read(write, clips, monkeypatch, tmp_path):
    path = write(clips)
    load = clip_map.load_annotations

    def grow(path):
        found = load(path)
        with open(path, 'ab') as file:
            file.write(b'more')
        return found

    monkeypatch.setattr(clip_map, 'load_annotations', grow)
    with pytest.raises(ValueError, match=r'ann\.pkl: changed while it was'):
        open_clip_map(path)
    assert os.listdir(tmp_path) == ['ann.pkl']


def _open(path, log, queue):
    load = clip_map.load_annotations

    def slow(path):
        with open(log, 'a') as file:
            file.write('made\n')
        time.sleep(0.3)
        return load(path)

    clip_map.load_annotations = slow
    queue.put(first(open_clip_map(path)).sum())


def test_of_several_processes_one_makes_it(write, clips, tmp_path):
    if clip_map.fcntl is None:
        pytest.skip('this system has no locks of files')
    context = multiprocessing.get_context('fork')
    queue, log = context.Queue(), tmp_path / 'log'
    processes = [context.Process(target=_open, args=(write(clips), log, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert found == [clips[0]['keypoint'].sum()] * 3
    assert log.read_text() == 'made\n'


def test_without_locks(write, clips, monkeypatch, tmp_path):
    monkeypatch.setattr(clip_map, 'fcntl', None)
    path = write(clips)
    other = tmp_path / 'ann.pkl.map.123.partial'
    other.write_bytes(b'of another process, at work')
    assert len(open_clip_map(path)) == len(clips)
    assert other.exists()


def test_a_missing_file_and_a_hostile_one(tmp_path):
    with pytest.raises(FileNotFoundError, match='demo.*make_demo'):
        open_clip_map(str(tmp_path / 'demo.pkl'))
    path = tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps(os.getcwd))
    with pytest.raises(ValueError, match=r'evil\.pkl: refused'):
        open_clip_map(str(path))
    assert os.listdir(tmp_path) == ['evil.pkl']
