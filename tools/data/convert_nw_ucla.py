"""Makes an annotation file of the NW-UCLA skeletons.

NW-UCLA (Wang et al., CVPR 2014) is distributed as ``all_sqe.zip``: one
``aXX_sXX_eXX_vXX.json`` (action, subject, take, view) for each clip, whose key
``skeletons`` holds T frames of 20 joints, xyz in metres.
"""

import argparse
import hashlib
import json
import os.path as osp
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
from mmengine.utils import track_iter_progress

import stars_mm  # noqa: F401  (makes mmaction2 importable)
from stars_mm.preparation.annotation_file import check_suffix, save_annotations

#: The actions that were recorded, in the order of their labels 0 to 9.
CLASS_NAMES = {
    'a01': 'pick up with one hand',
    'a02': 'pick up with two hands',
    'a03': 'drop trash',
    'a04': 'walk around',
    'a05': 'sit down',
    'a06': 'stand up',
    'a08': 'donning',
    'a09': 'doffing',
    'a11': 'throw',
    'a12': 'carry',
}
ACTIONS = tuple(CLASS_NAMES)
#: Views 1 and 2 train, view 3 tests (the cross-view protocol of the data set).
SPLIT_OF_VIEW = {'01': 'xview_train', '02': 'xview_train', '03': 'xview_val'}
#: Test clips without those whose coordinates are in the training set as well.
#: As it is distributed, view 3 of a02 and a03 is that of view 2.
DISTINCT = 'xview_val_distinct'
NUM_JOINTS = 20
_NAME = re.compile(r'(a\d\d)_s\d\d_e\d\d_v(\d\d)')


def list_recordings(src: str) -> list[str]:
    """Names the ``.json`` files of a zip or a folder, sorted by stem.

    Args:
        src (str): The zip or the folder.

    Returns:
        list[str]: Their paths within ``src``.

    Raises:
        FileNotFoundError: If there is no such zip or folder.
        ValueError: If it has no recordings, or two of one name.
    """
    if osp.isdir(src):
        names = [str(p.relative_to(src)) for p in Path(src).rglob('*.json')]
    elif zipfile.is_zipfile(src):
        with zipfile.ZipFile(src) as archive:
            names = archive.namelist()
    elif osp.exists(src):
        raise ValueError(
            f'{src}: is neither a folder nor a readable zip. It may be cut off: get it again.'
        )
    else:
        raise FileNotFoundError(
            f"{src}: there is no such folder or zip. Get the data set's all_sqe.zip first."
        )
    # A zip made on a Mac holds a shadow '._name' of each file.
    names = [
        name for name in names if name.endswith('.json') and not osp.basename(name).startswith('.')
    ]
    if not names:
        raise ValueError(
            f'{src}: holds no .json. Give the folder or zip with aXX_sXX_eXX_vXX.json in it.'
        )
    stems = Counter(Path(name).stem for name in names)
    double = [name for name in names if stems[Path(name).stem] > 1]
    if double:
        raise ValueError(
            f"{src}: '{double[0]}' and '{double[1]}' have one name. Remove one of them."
        )
    return sorted(names, key=lambda name: Path(name).stem)


def read_recordings(src: str, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yields path within ``src`` and content of each recording."""
    if osp.isdir(src):
        for name in names:
            yield name, Path(src, name).read_bytes()
        return
    with zipfile.ZipFile(src) as archive:
        for name in names:
            yield name, archive.read(name)


def parse_name(name: str) -> tuple[int, str]:
    """Reads label and split from a file name such as a01_s01_e00_v01.json."""
    match = _NAME.fullmatch(Path(name).stem)
    if match is None:
        raise ValueError('is not named aXX_sXX_eXX_vXX.json. Rename or remove it.')
    action, view = match.groups()
    if action not in ACTIONS:
        raise ValueError(
            f"action '{action}' is not in NW-UCLA, which has "
            f'{" ".join(ACTIONS)}. Rename or remove it.'
        )
    if view not in SPLIT_OF_VIEW:
        raise ValueError(
            f"view 'v{view}' is not in NW-UCLA, which has v01, v02 and v03. Rename or remove it."
        )
    return ACTIONS.index(action), SPLIT_OF_VIEW[view]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"'skeletons' holds {name}. Mend or remove it.")


def parse_skeletons(content: bytes) -> np.ndarray:
    """Reads the coordinates of a recording.

    Args:
        content (bytes): The JSON, with key ``skeletons`` (T, 20, 3), metres.

    Returns:
        np.ndarray: (1, T, 20, 3) float32.

    Raises:
        ValueError: Says what is wrong, and not in which file.
    """
    try:
        recording = json.loads(content, parse_constant=_refuse_constant)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'is no readable JSON ({error}). Get it again.') from error
    if not isinstance(recording, dict) or not isinstance(recording.get('skeletons'), list):
        raise ValueError("has no list 'skeletons'. Get it again.")
    frames = recording['skeletons']
    if not frames:
        raise ValueError("'skeletons' has no frames. Remove it.")
    for number, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != NUM_JOINTS:
            found = len(frame) if isinstance(frame, list) else repr(frame)
            raise ValueError(
                f"'skeletons'[{number}] has {found} joints; "
                f'NW-UCLA has {NUM_JOINTS}. Mend or remove it.'
            )
        for point in frame:
            if (
                not isinstance(point, list)
                or len(point) != 3
                or not all(type(value) in (int, float) for value in point)
            ):
                raise ValueError(
                    f"'skeletons'[{number}] holds {point!r} where three "
                    'numbers belong. Mend or remove it.'
                )
    with np.errstate(over='ignore'):
        keypoint = np.array(frames, dtype=np.float64).astype(np.float32)
    if not np.isfinite(keypoint).all():
        raise ValueError("'skeletons' holds numbers too large for float32. Mend or remove it.")
    if not keypoint.any():
        raise ValueError("'skeletons' is zero throughout. Remove it.")
    return keypoint[None]


def distinct(annotations: list[dict], splits: dict[str, list[str]]) -> list[str]:
    """Names the test clips whose coordinates no training clip has."""
    train = set(splits['xview_train'])
    known = {clip['keypoint'].tobytes() for clip in annotations if clip['frame_dir'] in train}
    return [
        clip['frame_dir']
        for clip in annotations
        if clip['frame_dir'] not in train and clip['keypoint'].tobytes() not in known
    ]


def convert(src: str) -> tuple[list[dict], dict[str, list[str]], dict]:
    """Reads all recordings.

    Args:
        src (str): The zip or folder as it is distributed.

    Returns:
        tuple: Annotations, splits, and where they come from, as ``save_annotations`` takes them.
    """
    names = list_recordings(src)
    annotations: list[dict] = []
    splits: dict[str, list[str]] = dict(xview_train=[], xview_val=[])
    digest = hashlib.sha256()
    recordings = read_recordings(src, names)
    for name, content in track_iter_progress((recordings, len(names))):
        try:
            label, split = parse_name(name)
            keypoint = parse_skeletons(content)
        except ValueError as error:
            raise ValueError(f"{src}: '{name}': {error}") from error
        frame_dir = Path(name).stem
        digest.update(f'{frame_dir} {hashlib.sha256(content).hexdigest()}\n'.encode())
        splits[split].append(frame_dir)
        annotations.append(
            dict(
                frame_dir=frame_dir, label=label, keypoint=keypoint, total_frames=keypoint.shape[1]
            )
        )
    splits[DISTINCT] = distinct(annotations, splits)
    provenance = dict(
        source=osp.basename(osp.abspath(src)),
        dataset='Northwestern-UCLA Multiview Action 3D',
        made_by=f'stars_mm {stars_mm.__version__} convert_nw_ucla.py',
        options={},
        recordings=len(annotations),
        sha256=digest.hexdigest(),
    )
    return annotations, splits, provenance


def summary(annotations: list[dict], splits: dict[str, list[str]]) -> str:
    """Counts clips by class and split, and frames."""
    action_of = {clip['frame_dir']: ACTIONS[clip['label']] for clip in annotations}
    counts = {split: Counter(action_of[name] for name in names) for split, names in splits.items()}
    lines = ['class ' + ' '.join(f'{split:>18}' for split in splits)]
    for action in ACTIONS:
        lines.append(f'{action:5} ' + ' '.join(f'{counts[split][action]:18}' for split in splits))
    lines.append('all   ' + ' '.join(f'{len(names):18}' for names in splits.values()))
    copies = len(splits['xview_val']) - len(splits[DISTINCT])
    if copies:
        lines.append(
            f'{copies} clips of xview_val have the very coordinates '
            f'of a training clip; {DISTINCT} leaves them out'
        )
    frames = np.array([clip['total_frames'] for clip in annotations])
    lines.append(
        f'frames: {frames.min()} to {frames.max()} a clip, '
        f'{frames.mean():.1f} on average, {frames.sum()} in all'
    )
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('src', help='all_sqe.zip, or the folder it unpacks to')
    parser.add_argument('dst', help='the annotation file to write, a .pkl or .npz')
    args = parser.parse_args()
    try:
        check_suffix(args.dst)
        annotations, splits, provenance = convert(args.src)
        save_annotations(
            args.dst,
            annotations,
            splits,
            layout='kinect-20',
            class_names=list(CLASS_NAMES.values()),
            provenance=provenance,
        )
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        sys.exit(f'\nerror: {error}')
    print(f'\n{summary(annotations, splits)}\nwritten to {args.dst}')


if __name__ == '__main__':
    main()
