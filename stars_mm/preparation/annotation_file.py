"""The project's one annotation format: reads it, picks a split, writes it.

It is mmaction2's pickle: ``dict(split={name: [frame_dir, ...]}, annotations=[dict(frame_dir, label,
keypoint (M, T, V, C), total_frames)])``. For those who will not open a pickle there is the same as
an ``.npz`` (:mod:`.ragged_npz`).
"""

import io
import os.path as osp
import pickle
import zipfile
from collections.abc import Iterable
from typing import IO, Any

from mmengine.fileio import get_local_path

from stars_mm.preparation.ragged_npz import is_ragged_npz, read_ragged_npz, write_ragged_npz
from stars_mm.utils.atomic import written_whole
from stars_mm.utils.safe_pickle import load_pickle

Splits = dict[str, list[str]]

FORMAT = (
    'dict(split={name: [frame_dir, ...]}, annotations=[dict(frame_dir, '
    'label, keypoint (M, T, V, C), total_frames), ...])'
)

SUFFIXES = ('.pkl', '.npz')

_PUBLISHED = (
    'download https://download.openmmlab.com/mmaction/v1.0/skeleton/'
    'data/{stem}.pkl (mmaction2: tools/data/skeleton/README.md)'
)


def _convert_ntu(path: str, stem: str) -> str:
    dataset = 120 if stem.startswith('ntu120') else 60
    return f'run python tools/data/convert.py FOLDER_OF_SKELETONS {path} --reader ntu{dataset}'


def _how_to_make(path: str) -> str:
    """Says how one comes by a file of this name."""
    stem = osp.splitext(osp.basename(path))[0].lower()
    plain = stem.replace('-', '').replace('_', '')
    if stem in ('ntu60_2d', 'ntu60_3d', 'ntu120_2d', 'ntu120_3d'):
        published = _PUBLISHED.format(stem=stem)
        if stem.endswith('2d'):
            return published
        return f'{published}, or {_convert_ntu(path, plain)}'
    if 'nwucla' in plain:
        return f'run python tools/data/convert.py all_sqe.zip {path} --reader nw-ucla'
    if plain.startswith(('ntu60', 'ntu120')):
        return _convert_ntu(path, plain)
    if plain.startswith(('pku1', 'pku2')):
        return f'run python tools/data/convert.py FOLDER_OF_PKU-MMD {path} --reader pku{plain[3]}'
    if 'demo' in plain:
        return f'run python tools/data/make_demo.py {path}'
    return (
        'run python tools/data/convert.py FOLDER_OF_RECORDINGS '
        f'{path} --layout LAYOUT, or write a pickle of {FORMAT}'
    )


def missing_file_error(path: str) -> FileNotFoundError:
    """The error about an annotation file that is not there."""
    return FileNotFoundError(
        f'ann_file={path!r}: there is no such file. To get it, {_how_to_make(path)}.'
    )


def load_annotations(path: str, extra: dict | None = None) -> tuple[list[dict], Splits | None]:
    """Reads an annotation file without running anything that it holds.

    Args:
        path (str): A ``.pkl`` in the format of this module, or holding the list of annotations
            alone, or an ``.npz`` of :mod:`.ragged_npz`.
        extra (dict, optional): Takes up the further entries of the file, such as ``class_names``.

    Returns:
        tuple: The annotations as they are in the file, and its splits, None
        where the file is a plain list.

    Raises:
        FileNotFoundError: If there is no such file; says how to make it.
        ValueError: If the file is of another kind or of another layout.
    """
    path = str(path)
    if not path.endswith(SUFFIXES):
        raise ValueError(
            f'ann_file={path!r}: is no .pkl or .npz. An '
            f'annotation file is a pickle of {FORMAT}, or an '
            '.npz that a converter in tools/data wrote.'
        )
    try:
        content = (load_pickle if path.endswith('.pkl') else _load_npz)(path)
    except FileNotFoundError:
        raise missing_file_error(path) from None
    if isinstance(content, list):
        annotations, splits = content, None
    elif isinstance(content, dict) and 'annotations' in content:
        annotations, splits = content['annotations'], content.get('split', {})
    else:
        raise ValueError(
            f"{path}: holds a {type(content).__name__} without 'annotations'; needed is {FORMAT}."
        )
    if not isinstance(annotations, list) or not all(isinstance(clip, dict) for clip in annotations):
        raise ValueError(f"{path}: 'annotations' is no list of dicts; needed is {FORMAT}.")
    if splits is not None and not isinstance(splits, dict):
        raise ValueError(f"{path}: 'split' is a {type(splits).__name__}; needed is {FORMAT}.")
    if extra is not None and isinstance(content, dict):
        extra.update(
            (key, value) for key, value in content.items() if key not in ('annotations', 'split')
        )
    return annotations, splits


def _load_npz(path: str) -> dict:
    """Reads an ``.npz``, and says so where it is the authors'."""
    with get_local_path(path) as local:
        if zipfile.is_zipfile(local) and not is_ragged_npz(local):
            with zipfile.ZipFile(local) as archive:
                names = [osp.splitext(name)[0] for name in archive.namelist()]
            what = (
                f'it has {", ".join(names[:8]) or "nothing"}, and '
                "'format' and 'about' are needed. Make it with a "
                'converter in tools/data.'
            )
            if 'x_train' in names:
                what = (
                    'it holds x_train and so on, the arrays of the '
                    'authors of MAMP. Convert it: python tools/data/'
                    f'convert.py {path} DST.npz --reader mamp-npz'
                )
            raise ValueError(f'{path}: is no annotation file: {what}')
        annotations, splits, extra = read_ragged_npz(local)
    return dict(extra, annotations=annotations, split=splits)


def clip_key(annotations: list[dict]) -> str:
    """The key that names a clip, chosen as mmaction2's PoseDataset does."""
    if annotations and 'filename' in annotations[0]:
        return 'filename'
    return 'frame_dir'


def select_split(
    annotations: list[dict], splits: Splits | None, split: str | None, path: str
) -> tuple[list[dict], list[str]]:
    """Picks the clips of a split, in the order of the annotations.

    Args:
        annotations (list[dict]): All clips of the file.
        splits (dict, optional): The names of each split's clips.
        split (str, optional): The split to take; None takes every clip.
        path (str): The file, for messages.

    Returns:
        tuple: The clips, and the names that the split lists but that have no annotation.

    Raises:
        ValueError: If the split is unknown or empty, or a clip has no name.
    """
    if split is None:
        if not annotations:
            raise ValueError(f'{path}: holds no clips. Make the file again.')
        return annotations, []
    if splits is None or split not in splits:
        known = ', '.join(map(repr, splits or ())) or 'none'
        raise ValueError(f'split={split!r}: {path} has no such split. Those in it: {known}.')
    names = set(splits[split])
    if not names:
        raise ValueError(
            f'split={split!r}: lists no clips in {path}. '
            'Make the file again, or choose another split.'
        )
    key = clip_key(annotations)
    for number, clip in enumerate(annotations):
        if key not in clip:
            raise ValueError(
                f'{path}: annotation {number} has no {key!r}, so no split can name it. Give it one.'
            )
    clips = [clip for clip in annotations if clip[key] in names]
    return clips, sorted(names - {clip[key] for clip in clips})


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


def save_annotations(path: str, annotations: Iterable[dict], splits: Splits, **extra) -> None:
    """Writes an annotation file whole or not at all.

    Of an iterator that makes annotations as they are asked for, one at a time is held in memory.

    Args:
        path (str): The ``.pkl`` or ``.npz`` to write. Its folder is made; a file that is there
            already is replaced once the new one is complete.
        annotations (Iterable[dict]): Each with ``frame_dir``, ``label``,
            ``keypoint`` (M, T, V, C) and ``total_frames``.
        splits (dict): The names of each split's clips.
        **extra: Further entries of the file, such as ``class_names``. They
            are written after the annotations.

    Raises:
        ValueError: If the name ends otherwise, or an ``.npz`` cannot keep what a clip holds.
    """
    check_suffix(path)
    with written_whole(path) as partial:
        if path.endswith('.npz'):
            write_ragged_npz(partial, annotations, splits, extra)
        else:
            with open(partial, 'wb') as file:
                _write(file, annotations, splits, extra)
