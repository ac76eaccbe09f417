"""Draws label subsets: the clips of a split whose labels a semi-supervised training may use.

An index file names one clip (``frame_dir``) a line, so that others can train
on the very same ones; lines that start with # are comments.
"""

import hashlib
import logging
import os.path as osp
from collections.abc import Sequence

import numpy as np
from mmengine.logging import print_log

from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.preparation.annotation_file import clip_key, select_split
from stars_mm.utils.atomic import write_text
from stars_mm.utils.input_error import InputError, shown


def draw_subset(
    labels: Sequence[int] | np.ndarray,
    percent: float,
    seed: int = 0,
    draw: int = 0,
    balanced: bool = False,
) -> np.ndarray:
    """Draws clips at random. Of the same seed and draw, a smaller share is a part of a larger one.

    Args:
        labels (Sequence[int]): Class of each clip.
        percent (float): Share of the clips, above 0 and up to 100.
        seed (int): Seed of all draws.
        draw (int): Number of this draw.
        balanced (bool): Whether every class gives the same number of clips,
            up to one; by default classes are drawn as often as they occur.

    Returns:
        np.ndarray: Sorted positions of the drawn clips. A ValueError if the share is less than one
        clip, or more than there are (with ``balanced``, in any class).
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in 'iu':
        found = f'shape {labels.shape} and type {labels.dtype}'
        raise ValueError(f'labels must be one integer for each clip; they have {found}.')
    if not 0 < percent <= 100:
        raise ValueError(f'percent={percent:g} must lie in (0, 100]: there are no more clips.')
    count = round(len(labels) * percent / 100)
    if count < 1:
        raise ValueError(
            f'percent={percent:g} of {len(labels)} clips is less than one clip. Ask for more.'
        )
    rng = np.random.default_rng([seed, draw])
    if not balanced:
        return np.sort(rng.permutation(len(labels))[:count])
    classes = rng.permutation(np.unique(labels))
    if count < len(classes):
        raise ValueError(
            f'percent={percent:g} of {len(labels)} clips are {count}, fewer than the '
            f'{len(classes)} classes, each of which `balanced` draws from. Ask for more.'
        )
    drawn = []
    for place, label in enumerate(classes):
        own = rng.permutation(np.flatnonzero(labels == label))
        needed = (count - place - 1) // len(classes) + 1
        if needed > len(own):
            raise ValueError(
                f'percent={percent:g}, balanced, needs {needed} clips of class {label}, and '
                f'there are {len(own)}. Ask for less, or leave out `balanced`.'
            )
        drawn.append(own[:needed])
    return np.sort(np.concatenate(drawn))


def write_subsets(
    ann_file: str,
    split: str,
    folder: str,
    percent: float,
    draws: int = 5,
    seed: int = 0,
    balanced: bool = False,
) -> list[str]:
    """Draws clips of a split ``draws`` times, see :func:`draw_subset`, and writes the index files
    into a folder; gives their paths. A class without a clip is warned of: a classifier cannot learn
    it."""
    if draws < 1 or seed < 0:
        raise ValueError(f'draws={draws} must be 1 or more, and seed={seed} 0 or more.')
    annotations, splits = open_clip_store(ann_file).read_about()
    clips, _ = select_split(annotations, splits, split, ann_file)
    key = clip_key(clips)
    names = [clip[key] for clip in clips]
    for name in names:  # what is no line of its own would be read as another clip, or as none
        is_text = isinstance(name, str) and name.splitlines() == [name.strip()]
        if not is_text or name.startswith('#'):
            problem = f'an index file cannot hold the name {shown(name)}'
            raise InputError(ann_file, problem, 'Rename the clip.')
    labels = np.array([clip.get('label') for clip in clips])
    try:
        chosen = [draw_subset(labels, percent, seed, draw, balanced) for draw in range(draws)]
    except ValueError as error:
        raise ValueError(f'{ann_file}, split {split!r}: {error}') from error
    kind = 'balanced' if balanced else 'random'
    stem = osp.splitext(osp.basename(ann_file))[0]
    digest = hashlib.sha256('\n'.join(names).encode()).hexdigest()
    paths = []
    for draw, positions in enumerate(chosen):
        path = osp.join(folder, f'{stem}_{split}_{percent:g}pct_{kind}_seed{seed}_draw{draw}.txt')
        classes, drawn = set(labels.tolist()), set(labels[positions].tolist())
        if drawn < classes:
            absent = sorted(classes - drawn)
            text = f'{path}: no clip of {len(absent)} classes, {absent}'
            print_log(text, 'current', level=logging.WARNING)
        header = (
            '# clips whose labels a semi-supervised training may use',
            f'# annotations {osp.basename(ann_file)}, split {split}: '
            f'{len(names)} clips, sha256 of their names {digest}',
            f'# {percent:g} percent, {kind}: {len(positions)} clips of {len(drawn)} of '
            f'{len(classes)} classes',
            f'# seed {seed}, draw {draw}',
        )
        write_text(path, '\n'.join([*header, *(names[i] for i in positions)]) + '\n')
        paths.append(path)
    return paths
