"""Where the clip store of an annotation file is, and when it is made anew."""

import errno
import multiprocessing
import os
import time

import numpy as np
import pytest

from stars_mm.datasets import clip_cache
from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.utils.input_error import InputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A user's cache of its own."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def spy(monkeypatch, name) -> list:
    calls, function = [], getattr(clip_cache, name)
    monkeypatch.setattr(clip_cache, name, lambda *args: (calls.append(args), function(*args))[1])
    return calls


@pytest.fixture
def made(monkeypatch) -> list:
    """Grows by one whenever a store is made."""
    return spy(monkeypatch, 'load_annotations')


def open_and_check(path, clips):
    """The store, whose first clip is as it should be."""
    store = open_clip_store(path)
    np.testing.assert_array_equal(store[0]['keypoint'], clips[0]['keypoint'])
    return store


def change_unseen(write, clips, path) -> None:
    """Other content of the same size, and the same time of change."""
    status = os.stat(path)
    time.sleep(0.02)  # a file system's clock may tick a hundred times a second
    clips[0]['keypoint'] += 1
    write(clips)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert os.stat(path).st_size == status.st_size


def test_made_once_and_again_when_the_file_changes(write, clips, made, monkeypatch, tmp_path):
    """Of a large file, one that has not changed is not even hashed; a small one is always."""
    monkeypatch.setattr(clip_cache, '_ALWAYS_HASHED', 0)
    hashed = spy(monkeypatch, 'file_sha256')
    path = write(clips)
    for _ in range(3):
        assert str(open_and_check(path, clips).folder) == f'{path}.map'
    assert (len(made), len(hashed)) == (1, 1)
    os.utime(path, (1, 1))  # hashed, found to be the same, and noted
    for _ in range(2):
        open_and_check(path, clips)
    assert (len(made), len(hashed)) == (1, 2)
    change_unseen(write, clips, path)
    open_and_check(path, clips)
    assert len(open_clip_store(write(clips[:3], all=['clip1']))) == len(made) == 3

    monkeypatch.setattr(clip_cache, '_ALWAYS_HASHED', 10**6)
    monkeypatch.setattr(clip_cache, 'file_stamp', lambda path: [os.stat(path).st_size, 1, 1])
    open_and_check(write(clips), clips)
    change_unseen(write, clips, path)
    open_and_check(path, clips)
    assert len(made) == 5


def test_a_damaged_store_and_a_map_of_an_earlier_version_are_replaced(write, clips, made, tmp_path):
    path, place = write(clips), tmp_path / 'ann.pkl.map'
    place.write_bytes(b'stars_mm clips 1')
    open_and_check(path, clips)
    (place / 'index.json').write_text('{}')
    for _ in range(2):
        open_and_check(path, clips)
    assert len(made) == 2
    assert sorted(os.listdir(tmp_path)) == ['ann.pkl', 'ann.pkl.map']


def test_a_folder_that_cannot_be_written(write, clips, made, tmp_path, monkeypatch):
    cache = tmp_path / 'cache' / 'stars_mm'
    refused, whole = [tmp_path], clip_cache.written_whole

    def written_whole(path):
        if path.parent in refused:
            raise OSError(errno.EROFS, 'Read-only file system', str(path))
        return whole(path)

    monkeypatch.setattr(clip_cache, 'written_whole', written_whole)
    path = write(clips)
    for _ in range(2):
        store = open_and_check(path, clips)
    assert len(made) == 1 and store.folder.parent == cache
    clips[0]['keypoint'] += 1
    open_and_check(write(clips), clips)
    assert os.listdir(cache) == [store.folder.name]
    refused.append(cache)
    message = r'ann\.pkl: no place.*Read-only.*ann\.pkl\.map.*Read-only.*cache.*XDG_CACHE_HOME'
    with pytest.raises(OSError, match=message):
        open_clip_store(write(clips[:2], all=['clip1']))


def test_what_a_killed_process_left_is_removed(write, clips, tmp_path, monkeypatch):
    """Without locks it may be of a process at work."""
    left, other = (tmp_path / f'ann.pkl.map{n}.123.partial' for n in ('', 2))
    left.mkdir()
    other.touch()
    with monkeypatch.context() as patch:
        patch.setattr(clip_cache, 'fcntl', None)
        open_clip_store(write(clips))
    assert left.exists()
    open_clip_store(write(clips[:3], all=['clip1']))
    assert not left.exists() and other.exists()


def test_a_file_that_changes_while_it_is_read(write, clips, monkeypatch, tmp_path):
    path, stamps = write(clips), iter('abcd')
    monkeypatch.setattr(clip_cache, '_ALWAYS_HASHED', 'z')
    monkeypatch.setattr(clip_cache, 'file_stamp', lambda path: next(stamps))
    with pytest.raises(ValueError, match=r'ann\.pkl: changed while it was'):
        open_clip_store(path)
    assert os.listdir(tmp_path) == ['ann.pkl']


def _open(path, log, queue):
    load = clip_cache.load_annotations

    def slow(path, extra):
        with open(log, 'a') as file:
            file.write('made\n')
        time.sleep(0.3)
        return load(path, extra)

    clip_cache.load_annotations = slow
    queue.put(open_clip_store(path)[0]['keypoint'].sum())


@pytest.mark.skipif(clip_cache.fcntl is None, reason='this system has no locks of files')
def test_of_several_processes_one_makes_it(write, clips, tmp_path):
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


def test_what_cannot_be_kept_is_named(write, clips):
    clips[1]['label'] = b'one'
    with pytest.raises(InputError, match=r"ann\.pkl: clip 'clip1'\['label'\] is a bytes"):
        open_clip_store(write(clips))
