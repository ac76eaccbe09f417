"""The clips of an annotation file as a folder of arrays that are mapped into memory.

The folder holds the arrays of :mod:`~stars_mm.preparation.flat_arrays`; ``about.json``: the clips'
other entries, and the splits; and ``index.json``: size and SHA-256 of each of these files, and what
is known of the clips as a whole. Nothing in it is a pickle.
"""

import hashlib
import json
import mmap
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from stars_mm.preparation.clip_faults import clip_fault, is_class_list
from stars_mm.preparation.flat_arrays import (
    BROKEN,
    FlatArrayWriter,
    check_flat_arrays,
    from_json,
    to_json,
)
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.weights_file import file_sha256

#: Changes with what is stored and with what is checked when it is made, so
#: that older stores are made anew.
_FORMAT = 'stars_mm clips 2'
#: Entries by which ``PoseDataset`` selects clips: they stay in its list.
_IN_LIST = ('label', 'box_score')
#: After so many bytes a process lets go of the pages that it has read. The
#: kernel maps 64 KiB around each page that is touched.
_HELD_BYTES = 8 << 20
_AROUND = 64 << 10


class ClipStore:
    """The arrays of clips, mapped into memory.

    A copy shares the maps, and a process that is handed a store opens the folder itself. When it is
    opened, the index, the places of the arrays and ``about.json`` are checked against their
    checksums, and the large arrays' files against their sizes; :meth:`verify` reads these, too.

    Args:
        folder (str or Path): A folder that :func:`write_clip_store` filled.

    Attributes:
        folder (Path): The folder.
        index (dict): ``count`` N, ``splits`` (name → number of clips), ``faults`` (number of a
            clip, as a text → what is wrong with it) and ``summary``, if any clip is sound:
            ``num_joints``, ``coordinates``, ``in_channels``, ``num_person``, ``num_classes``.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds something else, or is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.index = _read_index(self.folder)
        self._columns: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = []
        self._maps: list[mmap.mmap] = []
        self._touched = 0
        try:
            for name in self.index['files']:
                self._check_file(name, whole=not self._is_large(name))
            for name in filter(self._is_large, self.index['files']):
                values = np.load(self.folder / name, mmap_mode='r')
                offsets, shapes = (
                    np.load(self.folder / name.replace('.npy', f'.{part}.npy'))
                    for part in ('offset', 'shape')
                )
                check_flat_arrays(name, values, offsets, shapes, len(self))
                self._maps.append(values._mmap)
                key = name.removesuffix('.npy').split('@')[0]
                self._columns.append((key, np.asarray(values), offsets, shapes))
        except BROKEN as error:
            raise ValueError(f'{self.folder}: is damaged ({error})') from error

    @staticmethod
    def _is_large(name: str) -> bool:
        return name.count('.') == 1 and name.endswith('.npy')

    def _check_file(self, name: str, whole: bool) -> None:
        size, sha256 = self.index['files'][name]
        path = self.folder / name
        if path.stat().st_size != size or whole and file_sha256(path) != sha256:
            raise ValueError(f'{name} is not what was written')

    def __len__(self) -> int:
        return self.index['count']

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of a clip by key: read-only views of the maps."""
        views = {}
        for key, values, offsets, shapes in self._columns:
            shape = shapes[number].tolist()
            if shape[0] >= 0:
                views[key] = values[offsets[number] : offsets[number + 1]].reshape(shape)
        return views

    def read(self, number: int) -> dict[str, np.ndarray]:
        """Copies of the arrays of a clip by key.

        Now and then the pages that were read are let go of, so a process
        stays small however many clips it reads; the system may keep them.
        """
        arrays = {key: view.copy() for key, view in self[number].items()}
        self._touched += sum(array.nbytes + _AROUND for array in arrays.values())
        if self._touched > _HELD_BYTES:
            self.let_go()
        return arrays

    def let_go(self) -> None:
        """Takes the pages read so far out of this process's memory. Views
        stay as they are: what is used is read again."""
        self._touched = 0
        if hasattr(mmap, 'MADV_DONTNEED'):
            for mapped in self._maps:
                mapped.madvise(mmap.MADV_DONTNEED)

    @property
    def extra(self) -> dict:
        """dict: Further entries of the annotation file, such as ``class_names``."""
        return from_json(json.dumps(self.index['extra']))

    def read_about(self) -> tuple[list[dict], dict | None]:
        """Reads the clips' other entries, and the splits, from the disk each time.

        Returns:
            tuple: One dict a clip, with all that selects clips, and name → names of the clips.
        """
        about = from_json((self.folder / 'about.json').read_bytes())
        return about['annotations'], about['split']

    def verify(self) -> None:
        """Reads all files and compares their checksums.

        Raises:
            ValueError: If one is not what was written.
        """
        for name in self.index['files']:
            try:
                self._check_file(name, whole=True)
            except (OSError, ValueError) as error:
                raise ValueError(f'{self.folder}: is damaged ({error})') from error

    def restamp(self, stamp: list[int]) -> None:
        """Notes that the source, whose content is the same, has another stamp now.

        Raises:
            OSError: If the folder may not be written.
        """
        self.index['source']['stamp'] = stamp
        _write_index(self.folder, self.index)

    def __deepcopy__(self, memo: dict) -> 'ClipStore':
        return self

    def __reduce__(self) -> tuple:
        return _reopen, (self.folder, self.index['source']['sha256'])


def _reopen(folder: Path, sha256: str) -> ClipStore:
    store = ClipStore(folder)
    if store.index['source']['sha256'] != sha256:
        raise ValueError(
            f'{folder}: was made anew while in use, because the annotation file changed. '
            'Start again.'
        )
    return store


def _write_index(folder: Path, index: dict) -> None:
    text = json.dumps(index)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    with written_whole(folder / 'index.json') as partial:
        partial.write_text(f'{sha256}\n{text}', encoding='utf-8')


def _read_index(folder: Path) -> dict:
    try:
        sha256, text = (folder / 'index.json').read_text(encoding='utf-8').splitlines()
        index = json.loads(text)
        if index['format'] != _FORMAT:
            raise ValueError(f'its format is {index["format"]!r}')
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{folder}: is no store of clips ({error})') from error
    if hashlib.sha256(text.encode()).hexdigest() != sha256:
        raise ValueError(f'{folder}: is damaged (index.json is not what was written)')
    return index


def write_clip_store(
    folder: Path, clips: list[dict], splits: dict | None, extra: dict, source: dict
) -> None:
    """Fills a folder for :class:`ClipStore`.

    Args:
        folder (Path): An empty folder.
        clips (list[dict]): Annotations. Of those that no training can use neither ``keypoint`` nor
            ``keypoint_score`` is kept.
        splits (dict, optional): The names of each split's clips.
        extra (dict): Further entries of the annotation file; what is no plain data is left out.
        source (dict): ``sha256`` and ``stamp`` of the annotation file.

    Raises:
        ValueError: If a clip holds what can only be pickled.
    """
    writer = FlatArrayWriter(folder, mixed=True, least_axes=2)
    faults, rest = {}, []
    for number, clip in enumerate(clips):
        fault = clip_fault(clip)
        if fault:
            faults[str(number)] = fault
        aside = _IN_LIST + (('keypoint', 'keypoint_score') if fault else ())
        others = writer.add({key: value for key, value in clip.items() if key not in aside})
        others.update((key, clip[key]) for key in _IN_LIST if key in clip)
        rest.append(to_json(others, f'clip {clip.get("frame_dir", number)!r}', exact=True))
    writer.close()
    names = {}
    for split, listed in (splits or {}).items():
        if not isinstance(listed, (list, tuple, set, frozenset, np.ndarray)):
            raise ValueError(f'split {split!r} is a {type(listed).__name__}, no list of names.')
        names[split] = listed.tolist() if isinstance(listed, np.ndarray) else list(listed)
    names = None if splits is None else to_json(names, 'split', exact=True)
    about = dict(split=names, annotations=rest)
    (folder / 'about.json').write_text(json.dumps(about), encoding='utf-8')
    kept = {}
    for key, value in extra.items():
        try:
            kept[str(key)] = to_json(value, key, exact=True)
        except ValueError as error:
            print_log(f'{folder}: {error} It is left out.', 'current')
    index = dict(
        format=_FORMAT,
        source=source,
        count=len(clips),
        splits={str(name): len(names) for name, names in (splits or {}).items()},
        extra=kept,
        faults=faults,
        summary=_summarize([c for n, c in enumerate(clips) if str(n) not in faults], extra),
        files={
            path.name: [path.stat().st_size, file_sha256(path)] for path in sorted(folder.iterdir())
        },
    )
    _write_index(folder, index)


def _summarize(clips: list[dict], extra: dict) -> dict:
    """What a config has to know of sound clips."""
    if not clips:
        return {}
    *_, V, C = clips[0]['keypoint'].shape
    labels: list = [clip.get('label') for clip in clips]
    labels = [n for label in labels for n in (label if is_class_list(label) else [label])]
    labels = [label for label in labels if label is not None]
    has_classes = labels and all(isinstance(label, (int, np.integer)) for label in labels)
    names = extra.get('class_names')
    count = len(names) if names is not None and len(names) else None
    return dict(
        num_joints=V,
        coordinates=C,
        in_channels=C + ('keypoint_score' in clips[0]),
        num_person=max(len(clip['keypoint']) for clip in clips),
        num_classes=count or (int(max(labels)) + 1 if has_classes else None),
    )
