"""The clips of an annotation file as a folder of arrays that are mapped into memory.

The folder holds the arrays of :mod:`~stars_mm.preparation.flat_arrays`; ``about.json``: the clips'
other entries, and the splits; and ``index.json``: size and SHA-256 of each of these files, and what
is known of the clips as a whole. Nothing in it is a pickle.
"""

import hashlib
import json
import mmap
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log

from stars_mm.preparation.clip_faults import clip_fault, is_class_list
from stars_mm.preparation.flat_arrays import (
    FlatArrayWriter,
    check_flat_arrays,
    dtype_sum,
    from_json,
    to_json,
)
from stars_mm.preparation.inspection.faults import class_list
from stars_mm.preparation.layouts import stored_unit
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.safe_arrays import check_shape, load_npy, read_header
from stars_mm.utils.weights_file import file_sha256

#: Changes with what is stored and with what is checked when it is made, so
#: that older stores are made anew.
_FORMAT = 'stars_mm clips 3'
#: Entries by which ``PoseDataset`` selects clips: they stay in its list.
_IN_LIST = ('label', 'box_score')
#: After so many bytes a process lets go of the pages that it has read. The
#: kernel maps 64 KiB around each page that is touched.
_HELD_BYTES = 8 << 20
_AROUND = 64 << 10
_REMEDY = 'Remove the folder: it is made again from the annotation file.'


class _Column(NamedTuple):
    """The arrays of one entry of the clips, in one file."""

    key: str
    values: np.ndarray
    offsets: np.ndarray
    shapes: np.ndarray
    sums: np.ndarray
    begin: int  # of a checksum
    mapped: mmap.mmap

    @classmethod
    def open(cls, path: Path) -> '_Column':
        with open(path, 'rb') as file:  # a .npy of numbers, and as long as it says
            shape, _, dtype = read_header(file)
            check_shape(shape, dtype, path.stat().st_size - file.tell())
        values = np.load(path, mmap_mode='r')
        parts = (path.with_suffix(f'.{part}.npy') for part in ('offset', 'shape', 'crc32'))
        offsets, shapes, sums = (load_npy(part.read_bytes()) for part in parts)
        key = path.stem.split('@')[0]
        begin, mapped = dtype_sum(dtype), values._mmap
        return cls(key, np.asarray(values), offsets, shapes, sums, begin, mapped)

    def of_clip(self, number: int) -> list[np.ndarray]:
        """A view of the clip's array, or none."""
        shape = self.shapes[number].tolist()
        if shape[0] < 0:
            return []
        return [self.values[self.offsets[number] : self.offsets[number + 1]].reshape(shape)]


class ClipStore:
    """The arrays of clips, mapped into memory.

    A copy shares the maps, and a process that is handed a store opens the folder itself. When it is
    opened, the index, the places of the arrays and ``about.json`` are checked against their
    checksums, and the large arrays' files against their sizes. :meth:`read` checks the checksums of
    the clip that it reads; :meth:`verify` those of all files.

    Args:
        folder (str or Path): A folder that :func:`write_clip_store` filled.

    Attributes:
        folder (Path): The folder.
        index (dict): ``count`` N, ``splits`` (name → number of clips), ``faults`` (number of a
            clip, as a text → what is wrong with it) and ``summary``, if any clip is sound:
            ``num_joints``, ``coordinates``, ``in_channels``, ``num_person``, ``num_classes``.

    Raises:
        FileNotFoundError: If there is no such folder.
        InputError: If it holds something else, or is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.index = _read_index(self.folder)
        self._columns: list[_Column] = []
        self._touched = 0
        with reading(self.folder, _REMEDY):
            for name in self.index['files']:
                self._check_file(name, whole=not self._is_large(name))
            for name in filter(self._is_large, self.index['files']):
                column = _Column.open(self.folder / name)
                check_flat_arrays(name, column.values, column.offsets, column.shapes, len(self))
                if column.sums.shape != (len(self),) or column.sums.dtype.kind != 'u':
                    raise ValueError(f'{name!r} has no checksums of its clips')
                self._columns.append(column)
            whole = np.zeros(len(self), bool)
            for column in self._columns:
                whole |= (column.key == 'keypoint') & (column.shapes[:, 0] >= 0)
            if any(str(number) not in self.index['faults'] for number in np.flatnonzero(~whole)):
                raise ValueError('is damaged (clips without keypoint)')

    @staticmethod
    def _is_large(name: str) -> bool:
        return name.count('.') == 1 and name.endswith('.npy')

    def _check_file(self, name: str, whole: bool) -> None:
        size, sha256 = self.index['files'][name]
        path = self.folder / name
        if path.stat().st_size != size or whole and file_sha256(path) != sha256:
            raise ValueError(f'is damaged ({name} is not what was written)')

    def __len__(self) -> int:
        return self.index['count']

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """The arrays of a clip by key: read-only views of the maps, whose values nobody has
        checked."""
        return {column.key: view for column in self._columns for view in column.of_clip(number)}

    def read(self, number: int) -> dict[str, np.ndarray]:
        """Copies of the arrays of a clip by key.

        Now and then the pages that were read are let go of, so a process
        stays small however many clips it reads; the system may keep them.

        Raises:
            InputError: If they are not what was written.
        """
        arrays = {}
        for column in self._columns:
            for view in column.of_clip(number):
                arrays[column.key] = array = view.copy()
                if zlib.crc32(array, column.begin) != column.sums[number]:
                    problem = f'is damaged ({column.key} is not what was written)'
                    raise InputError(self.folder, problem, _REMEDY, f'clip number {number}')
        self._touched += sum(array.nbytes + _AROUND for array in arrays.values())
        if self._touched > _HELD_BYTES:
            self.let_go()
        return arrays

    def let_go(self) -> None:
        """Takes the pages read so far out of this process's memory. Views
        stay as they are: what is used is read again."""
        self._touched = 0
        if hasattr(mmap, 'MADV_DONTNEED'):
            for column in self._columns:
                column.mapped.madvise(mmap.MADV_DONTNEED)

    @property
    def extra(self) -> dict:
        """dict: Further entries of the annotation file, such as ``class_names``."""
        with reading(self.folder, _REMEDY):
            extra = from_json(json.dumps(self.index['extra']))
            if not isinstance(extra, dict):
                raise ValueError(f'has a {type(extra).__name__} in place of its further entries')
            return extra

    def read_about(self) -> tuple[list[dict], dict | None]:
        """Reads the clips' other entries, and the splits, from the disk each time.

        Returns:
            tuple: One dict a clip, with all that selects clips, and name → names of the clips.
        """
        with reading(self.folder, _REMEDY):
            about = from_json((self.folder / 'about.json').read_bytes())
            clips, splits = about['annotations'], about['split']
            if [type(clip) for clip in clips] != [dict] * len(self):
                raise ValueError(f'about.json is not about {len(self)} clips')
            if splits is not None and {type(splits), *map(type, splits.values())} > {dict, list}:
                raise ValueError('about.json has no lists of names as splits')
            return clips, splits

    def verify(self) -> None:
        """Reads all files and compares their checksums.

        Raises:
            InputError: If one is not what was written.
        """
        with reading(self.folder, _REMEDY):
            for name in self.index['files']:
                self._check_file(name, whole=True)

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
    with reading(folder, _REMEDY):
        sha256, text = (folder / 'index.json').read_text(encoding='utf-8').splitlines()
        index = json.loads(text)
        if not isinstance(index, dict) or index.get('format') != _FORMAT:
            raise ValueError('is no store of clips of this version')
        if hashlib.sha256(text.encode()).hexdigest() != sha256:
            raise ValueError('is damaged (index.json is not what was written)')
        kinds = dict(source=dict, count=int, splits=dict, extra=dict, faults=dict, summary=dict)
        wrong = [key for key, kind in kinds.items() if type(index[key]) is not kind]
        source = [type(index['source'].get(key)) for key in ('sha256', 'stamp')]
        if wrong or source != [str, list] or any(Path(n).name != n for n in index['files']):
            raise ValueError('is no store of clips (index.json says something else)')
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
    writer = FlatArrayWriter(folder, mixed=True, least_axes=2, sums=True)
    faults, rest = {}, []
    unit = stored_unit(extra)
    for number, clip in enumerate(clips):
        fault = clip_fault(clip, unit)
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
    names = class_list(extra.get('class_names'))
    return dict(
        num_joints=V,
        coordinates=C,
        in_channels=C + ('keypoint_score' in clips[0]),
        num_person=max(len(clip['keypoint']) for clip in clips),
        num_classes=len(names or ()) or (int(max(labels)) + 1 if has_classes else None),
    )
