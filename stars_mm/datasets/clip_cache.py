"""The clip store of an annotation file: found, checked, or made.

It lies beside the annotation file, ``ann.pkl.map`` for ``ann.pkl``, or, where nothing can be
written there, in ``$XDG_CACHE_HOME/stars_mm`` (by default ``~/.cache/stars_mm``). It belongs to the
file's content, known by its SHA-256. The content is hashed again where size, time of change or time
of status change are not what they were, and always where the file is small, since times are coarse.
"""

import glob
import hashlib
import os
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from stars_mm.datasets.clip_store import ClipStore, write_clip_store
from stars_mm.preparation.annotation_file import load_annotations, missing_file_error
from stars_mm.utils.atomic import remove, written_whole
from stars_mm.utils.input_error import InputError
from stars_mm.utils.installation import cache_folder
from stars_mm.utils.weights_file import file_sha256

fcntl: Any = None  # Windows has none
with suppress(ImportError):
    import fcntl

#: Files up to this size are hashed whenever they are opened.
_ALWAYS_HASHED = 32 << 20


def file_stamp(path: str | Path) -> list[int]:
    """Size (bytes), time of change and time of status change (nanoseconds) of a file."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def store_places(ann_file: str) -> list[Path]:
    """Where the clip store of an annotation file may lie, the best place first: for a file on a
    remote backend the user's cache alone."""
    name = osp.abspath(ann_file) if osp.exists(ann_file) else ann_file
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    places = [cache_folder() / f'{osp.basename(ann_file)}.{digest}.map']
    if osp.exists(ann_file):
        places.insert(0, Path(f'{ann_file}.map'))
    return places


def open_clip_store(ann_file: str) -> ClipStore:
    """Opens the clip store of an annotation file, a ``.pkl`` or ``.npz``, and makes it first if
    need be; of several processes that want a store that is not there, one makes it.

    Raises:
        FileNotFoundError: If there is no such file; says how to make it.
        ValueError: If the file is of another kind or of another layout.
        OSError: If the store cannot be written anywhere.
    """
    places = store_places(ann_file)
    with get_local_path(ann_file) as path:
        if not osp.isfile(path):
            raise missing_file_error(ann_file)
        store = _find(path, places)
        if store is not None:
            return store
        with _alone(path) as is_alone:
            store = _find(path, places)  # another process may have made it in the meantime
            return _make(path, places, is_alone) if store is None else store


def _find(path: str, places: list[Path]) -> ClipStore | None:
    """Opens the first store that is of the file as it is now."""
    stamp, sha256 = file_stamp(path), None
    for place in places:
        try:
            store = ClipStore(place)
        except (FileNotFoundError, NotADirectoryError):  # a file: of an earlier version
            continue
        except (OSError, ValueError) as error:
            print_log(f'{place}: is not used ({error})', 'current')
            continue
        source = store.index['source']
        if stamp == source['stamp'] and stamp[0] > _ALWAYS_HASHED:
            return store
        if stamp[0] != source['stamp'][0]:
            continue
        sha256 = sha256 or file_sha256(path)
        if sha256 == source['sha256']:
            with suppress(OSError):  # a store that others own: hashed again each time
                if stamp != source['stamp']:
                    store.restamp(stamp)
            return store
    return None


@contextmanager
def _alone(path: str) -> Iterator[bool]:
    """Waits until no other process makes the store of a file; yields whether there is a lock.

    The lock is on the annotation file, and the system takes it from a process
    that dies. On a file system without locks several processes may make the
    store, each on its own, and the last one's stays.
    """
    with open(path, 'rb') as file:
        is_locked = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except (AttributeError, OSError):
            is_locked = False
        yield is_locked


def _make(path: str, places: list[Path], is_alone: bool) -> ClipStore:
    """Reads and checks the annotation file, and writes the store."""
    stamp = file_stamp(path)
    if stamp[0] > _ALWAYS_HASHED:
        print_log(f'{path}: is read, checked and made ready for mapping, this once', 'current')
    source = dict(sha256=file_sha256(path), stamp=stamp)
    extra: dict = {}
    clips, splits = load_annotations(path, extra)
    if file_stamp(path) != stamp:
        raise ValueError(f'{path}: changed while it was read. Start again once it is complete.')
    problems = []
    for place in places:
        try:
            if is_alone:  # what is there was left by processes that were killed
                for partial in place.parent.glob(f'{glob.escape(place.name)}.*.partial'):
                    remove(partial)
            with written_whole(place) as partial:
                partial.mkdir()
                write_clip_store(partial, clips, splits, extra, source)
            store = ClipStore(place)
        except OSError as error:
            problems.append(str(error))
            continue
        except ValueError as error:
            raise InputError(path, str(error)) from error
        size = sum(size for size, _ in store.index['files'].values())
        print_log(f'{path}: {len(clips)} clips lie in {place} ({size / 2**20:.1f} MiB)', 'current')
        return store
    raise OSError(
        f'{path}: no place for its clip store: {"; ".join(problems)}. Make room there, or name a '
        'folder with room in the environment variable XDG_CACHE_HOME.'
    )
