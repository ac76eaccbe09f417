"""The project's one annotation format: reads it, picks a split, writes it.

It is mmaction2's pickle: ``dict(split={name: [frame_dir, ...]}, annotations=[dict(frame_dir, label,
keypoint (M, T, V, C), total_frames)])``; a clip of no known class has no ``label``. For those who
will not open a pickle there is the same as an ``.npz`` (:mod:`.flat_arrays`).
"""

import io
import os.path as osp
import pickle
import zipfile
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from mmengine.fileio import get_local_path

from stars_mm.preparation.flat_arrays import read_annotation_npz, write_annotation_npz
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.input_error import InputError, reading, shown
from stars_mm.utils.safe_pickle import load_pickle

Splits = dict[str, list[str]]

FORMAT = (
    'dict(split={name: [frame_dir, ...]}, annotations=[dict(frame_dir, '
    'label, keypoint (M, T, V, C), total_frames), ...])'
)
#: What clips may be called.
_NAMES = (str, int, np.integer)
SUFFIXES = ('.pkl', '.npz')

#: Readers after which annotation files are named.
_READERS = (
    'ntu60 ntu120 pku1 pku2 nw-ucla utd-mhad kard cad60 utkinect msr-action3d bandai-namco'.split()
)


def missing_file_error(path: str) -> FileNotFoundError:
    """The error about an annotation file that is not there; it says how one comes by it."""
    stem = osp.splitext(osp.basename(path))[0].lower()
    plain = stem.replace('-', '').replace('_', '')
    reader = next((name for name in _READERS if plain.startswith(name.replace('-', ''))), None)
    ways = []
    if stem in ('ntu60_2d', 'ntu60_3d', 'ntu120_2d', 'ntu120_3d'):
        ways.append(
            'download https://download.openmmlab.com/mmaction/v1.0/skeleton/'
            f'data/{stem}.pkl (mmaction2: tools/data/skeleton/README.md)'
        )
    if 'demo' in plain:
        ways.append(f'run python tools/data/make_demo.py {path}')
    elif reader is None:
        ways += [
            f'run python tools/data/convert.py RECORDINGS {path} --reader folder --layout LAYOUT',
            f'write a pickle of {FORMAT}',
        ]
    elif not stem.endswith('2d'):
        ways.append(f'run python tools/data/convert.py RECORDINGS {path} --reader {reader}')
    return FileNotFoundError(
        f'ann_file={path!r}: there is no such file. To get it, {", or ".join(ways)}.'
    )


def load_annotations(path: str, extra: dict | None = None) -> tuple[list[dict], Splits | None]:
    """Reads an annotation file without running anything that it holds.

    Args:
        path (str): A ``.pkl`` in the format of this module, or holding the list of annotations
            alone (with None for splits), or an ``.npz`` of :mod:`.flat_arrays`.
        extra (dict, optional): Takes up the further entries of the file, such as ``class_names``.

    Raises:
        FileNotFoundError: If there is no such file; says how to make it.
        InputError: If the file is of another kind or of another layout.
    """
    path = str(path)
    if not path.endswith(SUFFIXES):
        raise ValueError(
            f'ann_file={path!r}: is no .pkl or .npz. An annotation file is a pickle of {FORMAT}, '
            'or an .npz that a converter in tools/data wrote.'
        )
    try:
        content = (load_pickle if path.endswith('.pkl') else _load_npz)(path)
    except FileNotFoundError:
        raise missing_file_error(path) from None
    if isinstance(content, list):
        content = dict(annotations=content, split=None)
    if not isinstance(content, dict) or 'annotations' not in content:
        wrong = f"holds a {type(content).__name__} without 'annotations'"
        raise InputError(path, f'{wrong}; needed is {FORMAT}')
    annotations = content.pop('annotations')
    splits: Any = content.pop('split', {})
    if not isinstance(annotations, list) or not all(isinstance(clip, dict) for clip in annotations):
        raise InputError(path, f"'annotations' is no list of dicts; needed is {FORMAT}")
    if splits is not None and not isinstance(splits, dict):
        raise InputError(path, f"'split' is a {type(splits).__name__}; needed is {FORMAT}")
    odd = {*map(type, splits or ()), *(type(key) for clip in annotations for key in clip)} - {str}
    if odd:
        raise InputError(path, f'a key is a {odd.pop().__name__}; needed is {FORMAT}')
    if extra is not None:
        extra.update(content)
    return annotations, splits


def _load_npz(path: str) -> dict:
    """Reads an ``.npz``, and says so where it is the authors'."""
    with get_local_path(path) as local:
        names = None
        if zipfile.is_zipfile(local):
            with reading(path), zipfile.ZipFile(local) as archive:
                names = [osp.splitext(name)[0] for name in archive.namelist()]
        if names is not None and not {'format', 'about'} <= set(names):
            remedy = '. Make one with tools/data/convert.py.'
            if 'x_train' in names:
                run = f'python tools/data/convert.py {path} DST.npz --reader mamp-npz'
                remedy = f', the arrays of the authors of MAMP. Run {run}.'
            held = ', '.join(names[:8])[:200] or 'nothing'
            raise InputError(path, f'is no annotation file: it holds {held}{remedy}')
        annotations, splits, extra = read_annotation_npz(local)
    return dict(extra, annotations=annotations, split=splits)


def clip_key(annotations: list[dict]) -> str:
    """The key that names a clip, chosen as mmaction2's PoseDataset does."""
    return 'filename' if annotations and 'filename' in annotations[0] else 'frame_dir'


def select_split(
    annotations: list[dict], splits: Splits | None, split: str | None, path: str
) -> tuple[list[dict], list[str]]:
    """Picks the clips of a split, or with None all, in the order of the annotations; and the names
    that the split lists but that have no annotation. A ValueError if the split is unknown or empty,
    or a clip has no name."""
    if split is None:
        if not annotations:
            raise InputError(path, 'holds no clips', 'Make the file again.')
        return annotations, []
    if splits is None or split not in splits:
        known = ', '.join(map(repr, splits or ())) or 'none'
        raise InputError(path, f'split={split!r}: there is no such split. Those in it: {known}')
    listed: Any = splits[split]
    is_list = isinstance(listed, (list, tuple, set, frozenset, np.ndarray))
    if not is_list or not all(isinstance(name, _NAMES) for name in listed):
        raise InputError(path, f'split {shown(split)} is {shown(listed)}, no list of names')
    names = set(listed)
    if not names:
        raise InputError(
            path, f'split={split!r}: lists no clips', 'Make it again, or choose another split.'
        )
    key = clip_key(annotations)
    for number, clip in enumerate(annotations):
        if key not in clip:
            problem = f'annotation {number} has no {key!r}, so no split can name it'
            raise InputError(path, problem, 'Give it one.')
        if not isinstance(clip[key], _NAMES):
            raise InputError(path, f'the {key} of annotation {number} is {shown(clip[key])}')
    clips = [clip for clip in annotations if clip[key] in names]
    return clips, sorted(names - {clip[key] for clip in clips}, key=str)


def _opcodes(value: Any) -> bytes:
    """A value in pickle's language, to be put into a larger pickle."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=3)
    pickler.fast = True  # no references, which would count from elsewhere
    pickler.dump(value)
    return file.getvalue()[len(pickle.PROTO) + 1 : -len(pickle.STOP)]


def _write(
    file: IO[bytes], annotations: Iterable[dict], splits: Splits, extra: dict[str, Any]
) -> None:
    """Pickles the file's dict, one annotation at a time."""
    file.write(pickle.PROTO + bytes([3]) + pickle.EMPTY_DICT + pickle.MARK)
    file.write(_opcodes('split') + _opcodes(splits))
    file.write(_opcodes('annotations') + pickle.EMPTY_LIST + pickle.MARK)
    for clip in annotations:
        file.write(_opcodes(clip))
    file.write(pickle.APPENDS)
    for key, value in extra.items():
        file.write(_opcodes(key) + _opcodes(value))
    file.write(pickle.SETITEMS + pickle.STOP)


def check_suffix(path: str) -> None:
    """Raises a ValueError where a name is not that of an annotation file."""
    if not path.endswith(SUFFIXES):
        raise ValueError(f'{path}: an annotation file ends in .pkl or .npz.')


def save_annotations(path: str, annotations: Iterable[dict], splits: Splits, **extra: Any) -> None:
    """Writes an annotation file, a ``.pkl`` or ``.npz``, whole or not at all; its folder is made.

    Of an iterator that makes annotations as they are asked for, one at a time is held in memory.

    Args:
        path (str): The file. One that is there is replaced once the new one is complete.
        annotations (Iterable[dict]): Each with ``frame_dir``, ``keypoint`` (M, T, V, C) and
            ``total_frames``, and with ``label`` where its class is known.
        splits (dict): The names of each split's clips.
        **extra: Further entries, such as ``class_names``, written after the annotations.

    Raises:
        ValueError: If the name ends otherwise, or an ``.npz`` cannot keep what a clip holds.
    """
    check_suffix(path)
    with written_whole(path) as partial:
        if path.endswith('.npz'):
            write_annotation_npz(partial, annotations, splits, extra)
        else:
            with open(partial, 'wb') as file:
                _write(file, annotations, splits, extra)
