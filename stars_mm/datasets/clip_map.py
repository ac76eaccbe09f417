"""The memory map of an annotation file: found, checked, or made.

The map lies beside the annotation file, ``ann.pkl.map`` for ``ann.pkl``, or, where nothing can be
written there, in ``$XDG_CACHE_HOME/stars_mm`` (by default ``~/.cache/stars_mm``). It belongs to the
file's content, known by its SHA-256. The content is hashed again where size, time of change or time
of status change are not what they were, and always where the file is small, since times are coarse.
"""

import ctypes
import glob
import hashlib
import os
import os.path as osp
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from stars_mm.preparation.annotation_file import load_annotations, missing_file_error
from stars_mm.preparation.clip_faults import clip_fault
from stars_mm.preparation.clip_store import ClipStore, Source, Stamp, write_clip_store
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.weights_file import file_sha256

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: Files up to this size are hashed whenever they are opened.
_ALWAYS_HASHED = 32 << 20


def map_places(ann_file: str) -> list[Path]:
    """Where the map of an annotation file may lie, the best place first.

    Args:
        ann_file (str): The annotation file; of one on a remote backend the map
            lies in the user's cache.
    """
    cache = os.environ.get('XDG_CACHE_HOME') or osp.expanduser('~/.cache')
    name = osp.abspath(ann_file) if osp.exists(ann_file) else ann_file
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    places = [Path(cache, 'stars_mm', f'{osp.basename(ann_file)}.{digest}.map')]
    if osp.exists(ann_file):
        places.insert(0, Path(f'{ann_file}.map'))
    return places


def open_clip_map(ann_file: str) -> ClipStore:
    """Opens the map of an annotation file, and makes it first if need be.

    Of several processes that want a map that is not there, one makes it.

    Args:
        ann_file (str): A ``.pkl`` or ``.npz``, see :mod:`.annotation`.

    Returns:
        ClipStore: Its ``read_about()`` has ``clips`` (each clip's entries but the arrays),
        ``split``, and ``faults`` (number of a clip → what is wrong with it).

    Raises:
        FileNotFoundError: If there is no such file; says how to make it.
        ValueError: If the file is of another kind or of another layout.
        OSError: If the map cannot be written anywhere.
    """
    places = map_places(ann_file)
    with get_local_path(ann_file) as path:
        if not osp.isfile(path):
            raise missing_file_error(ann_file)
        store = _find(path, places)
        if store is None:
            with _alone(path) as is_alone:
                # Another process may have made it in the meantime.
                store = _find(path, places)
                if store is None:
                    store = _make(path, places, is_alone)
                    _give_memory_back()
    return store


def _find(path: str, places: list[Path]) -> ClipStore | None:
    """Opens the first map that is of the file as it is now."""
    stamp, sha256 = Stamp.of(path), None
    for place in places:
        try:
            store = ClipStore(place)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError) as error:
            print_log(f'{place}: is not used ({error})', 'current')
            continue
        if stamp == store.source.stamp and stamp.size > _ALWAYS_HASHED:
            return store
        if stamp.size != store.source.stamp.size:
            continue
        sha256 = sha256 or bytes.fromhex(file_sha256(path))
        if sha256 == store.source.sha256:
            _restamp(store, stamp)
            return store
    return None


def _restamp(store: ClipStore, stamp: Stamp) -> None:
    if stamp != store.source.stamp:
        try:
            store.restamp(stamp)
        except OSError:  # a map that others own: hashed again each time
            pass


@contextmanager
def _alone(path: str) -> Iterator[bool]:
    """Waits until no other process makes the map of a file.

    The lock is on the annotation file, and the system takes it from a process
    that dies. On a file system without locks several processes may make the
    map, each on its own, and the last one's stays.

    Yields:
        bool: Whether there is a lock.
    """
    with open(path, 'rb') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except (AttributeError, OSError):
            yield False
        else:
            yield True


def _make(path: str, places: list[Path], is_alone: bool) -> ClipStore:
    """Reads and checks the annotation file, and writes the map."""
    stamp = Stamp.of(path)
    if stamp.size > _ALWAYS_HASHED:
        print_log(f'{path}: is read, checked and mapped, this once', 'current')
    source = Source(bytes.fromhex(file_sha256(path)), stamp)
    clips, splits = load_annotations(path)
    faults = {number: fault for number, fault in enumerate(map(clip_fault, clips)) if fault}
    if Stamp.of(path) != stamp:
        raise ValueError(f'{path}: changed while it was read. Start again once it is complete.')
    problems = []
    for place in places:
        try:
            if is_alone:
                _remove_leftovers(place)
            with written_whole(place) as partial:
                write_clip_store(partial, clips, source, dict(split=splits, faults=faults))
            store = ClipStore(place)
        except OSError as error:
            problems.append(str(error))
            continue
        print_log(
            f'{path}: {len(clips)} clips are mapped in {place} '
            f'({place.stat().st_size / 2**20:.1f} MiB)',
            'current',
        )
        return store
    raise OSError(
        f'{path}: no place for its memory map: '
        f'{"; ".join(problems)}. Make room there, or name a folder '
        'with room in the environment variable XDG_CACHE_HOME.'
    )


def _give_memory_back() -> None:
    """Returns what the clips took to the system, where the C library is GNU's.

    It keeps memory of many small arrays for itself otherwise, and all workers would inherit it.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        pass


def _remove_leftovers(place: Path) -> None:
    """Removes what processes left that were killed as they made the map."""
    for partial in place.parent.glob(f'{glob.escape(place.name)}.*.partial'):
        partial.unlink()
