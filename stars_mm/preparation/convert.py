"""Makes an annotation file of what a reader yields."""

import os
import os.path as osp
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from mmengine.utils import ProgressBar

from stars_mm.preparation.annotation_file import check_suffix, save_annotations
from stars_mm.preparation.layouts import SkeletonLayout
from stars_mm.preparation.missing_joints import fill_missing, find_missing
from stars_mm.preparation.parts import MAX_PROBLEMS
from stars_mm.preparation.recording import Recording
from stars_mm.preparation.splits import SplitRule
from stars_mm.preparation.spool import Spool
from stars_mm.version import __version__

#: Unit → metres.
_METRES = dict(m=1.0, cm=1e-2, mm=1e-3)


@dataclass(frozen=True)
class Options:
    """What is done to clips.

    Args:
        unit (str, optional): Unit of the coordinates where it is not the
            layout's; centimetres and millimetres become metres.
        up (str): 'y', or 'z' where z points up: such clips are turned, since
            the transforms take y for the vertical.
        missing (str): What to do about missing joints: 'error' or
            'interpolate', see :func:`fill_missing`.
        scores (bool): Whether confidences are kept.
        invalid (str): What to do about a clip that cannot be used: 'error' or 'drop'.
    """

    unit: str | None = None
    up: str = 'y'
    missing: str = 'error'
    scores: bool = True
    invalid: str = 'error'

    def __post_init__(self) -> None:
        for key, known in (
            ('up', ('y', 'z')),
            ('missing', ('error', 'interpolate')),
            ('invalid', ('error', 'drop')),
        ):
            if getattr(self, key) not in known:
                raise ValueError(f'{key}={getattr(self, key)!r}: choose one of {known}.')


@dataclass
class Result:
    """What was made.

    Args:
        class_names (list[str]): In the order of the labels.
        splits (dict): The names of each split's clips.
        clips (dict): Name of a clip → its label and frames.
        dropped (dict): Name of a clip left out → why.
        counts (Counter): What was done → how often.
    """

    class_names: list[str] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)
    clips: dict[str, tuple[int, int]] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)


def convert(
    recordings: Iterable,
    dst: str,
    layout: SkeletonLayout,
    split: SplitRule = SplitRule(),
    options: Options = Options(),
    classes: Sequence[str] | None = None,
    provenance: dict | None = None,
) -> Result:
    """Makes an annotation file.

    Args:
        recordings (iterable[Recording | dict]): What a reader yields. A dict
            has the fields of a :class:`Recording`.
        dst (str): The ``.pkl`` or ``.npz`` to write.
        layout (SkeletonLayout): Of all clips. It is stored in the file, its
            name as ``layout`` and itself as ``skeleton``.
        split (SplitRule): Which clips train and which test.
        options (Options): What is done to clips.
        classes (sequence[str], optional): Labels in the order of their
            numbers; by default they are sorted.
        provenance (dict, optional): Where the clips come from, to be stored.

    Returns:
        Result: What was made.

    Raises:
        ValueError: Lists what is wrong, with file and place; nothing is written.
        OSError: If the file cannot be written.
    """
    check_suffix(dst)
    folder = osp.dirname(osp.abspath(dst))
    os.makedirs(folder, exist_ok=True)
    result = Result()
    # beside the file: /tmp may be small, or in memory
    with tempfile.TemporaryFile(dir=folder) as file:
        spool = Spool(file)
        _collect(recordings, spool, layout, options, result)
        result.class_names = _class_names(spool.clips, classes)
        labels = {name: n for n, name in enumerate(result.class_names)}
        result.splits = split.apply(spool.clips)
        result.clips = {
            clip.name: (labels[str(clip.label)], frames)
            for clip, frames in zip(spool.clips, spool.frames)
        }
        unit = options.unit or layout.unit
        stored = replace(layout, unit='m' if unit in _METRES else unit)
        save_annotations(
            dst,
            spool.annotations(labels),
            result.splits,
            class_names=result.class_names,
            layout=layout.name,
            skeleton=stored.to_dict(),
            provenance=dict(
                provenance or {},
                made_by=f'stars_mm {__version__} convert.py',
                options=dict(_plain(vars(options)), split=_plain(vars(split))),
                left_out=dict(Counter(result.dropped.values())),
                counts=dict(result.counts),
                sha256=spool.sha256,
            ),
        )
    return result


def _plain(values: dict) -> dict:
    """What was chosen, sequences as lists, which every file format takes."""
    return {
        key: list(value) if isinstance(value, (list, tuple)) else value
        for key, value in values.items()
        if value is not None
    }


def _collect(
    recordings: Iterable, spool: Spool, layout: SkeletonLayout, options: Options, result: Result
) -> None:
    """Converts all recordings, and lists what is wrong with them."""
    problems: list[str] = []
    seen: dict[str, str] = {}
    try:
        total = len(recordings)  # of a list; a generator has none
    except TypeError:
        total = 0
    progress = ProgressBar(total)
    for clip in recordings:
        clip = _as_recording(clip)
        if clip.name in seen:
            problems.append(f'{clip.place}: {clip.name!r} is the name of {seen[clip.name]} too.')
            progress.update()
            continue
        seen[clip.name] = clip.place
        try:
            spool.add(clip, *_prepare(clip, layout, options, result.counts))
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.filename is None:
                raise  # not the clip's file: the disk may be full
            if options.invalid == 'drop':
                result.dropped[clip.name] = str(error)
            else:
                problems.append(f'{clip.place}: {error}')
        progress.update()
    if problems:
        shown = problems[:MAX_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f'and {len(problems) - len(shown)} more')
        raise ValueError('\n'.join(shown))
    if not spool.clips:
        why = next(iter(result.dropped.items()), 'the reader yields none')
        raise ValueError(f'no clip is left: {len(result.dropped)} were dropped, such as {why}.')


def _as_recording(clip) -> Recording:
    if isinstance(clip, Recording):
        return clip
    try:
        return Recording(**clip)
    except TypeError as error:
        raise ValueError(
            f'the reader yields {type(clip).__name__}, no Recording and no '
            f'dict of its fields ({error}).'
        ) from None


def _prepare(
    clip: Recording, layout: SkeletonLayout, options: Options, counts: Counter
) -> tuple[np.ndarray, np.ndarray | None]:
    """A clip's keypoints (M, T, V, C) and scores (M, T, V) as they are stored, float32."""
    keypoints, scores = clip.load()
    *_, V, C = keypoints.shape
    if V != layout.num_joints:
        raise ValueError(f"has {V} joints; layout '{layout.name}' has {layout.num_joints}.")
    keypoints = keypoints.astype(np.float64)
    missing, present = find_missing(keypoints, scores)
    if not present.any():
        raise ValueError('shows no body in any frame.')
    if missing.any():
        if options.missing == 'error':
            m, t, v = (int(i) for i in np.argwhere(missing)[0])
            raise ValueError(
                f'joint {layout.joints[v]} of person {m} is missing in frame '
                f'{t} (counted from 0), one of {int(missing.sum())}. Mend it, '
                'or say --missing interpolate.'
            )
        counts['joints interpolated'] += int(missing.sum())
        counts['clips with joints interpolated'] += 1
    keypoints = fill_missing(keypoints, missing, present, layout)
    keypoints = keypoints[present.any(axis=1)]
    if options.up == 'z' and C == 3:
        keypoints = keypoints[..., [0, 2, 1]] * (1, 1, -1)
    keypoints = keypoints * _METRES.get(options.unit or layout.unit, 1.0)
    if scores is not None and not options.scores:
        scores = None
    if scores is not None:
        scores = np.where(missing | ~present[..., None], 0, scores)[present.any(axis=1)]
    arrays = [None if array is None else _float32(array) for array in (keypoints, scores)]
    return arrays[0], arrays[1]


def _float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):
        found = array.astype(np.float32)
    if not np.isfinite(found).all():
        where = np.argwhere(~np.isfinite(found))[0]
        raise ValueError(
            f'holds {array[tuple(where)]} (person {where[0]}, '
            f'frame {where[1]}, joint {where[2]}), which is no '
            'finite number.'
        )
    return found


def _class_names(clips: Sequence[Recording], classes: Sequence[str] | None) -> list[str]:
    found: dict[str, Recording] = {}
    for clip in clips:
        found.setdefault(str(clip.label), clip)
    if classes is None:
        return sorted(found, key=_natural)
    classes = [str(name) for name in classes]
    if len(set(classes)) < len(classes):
        raise ValueError(f'--classes names a class twice: {classes}.')
    for name, clip in found.items():
        if name not in classes:
            raise ValueError(
                f'{clip.place}: label {name!r} of {clip.name!r} '
                f'is none of --classes: {", ".join(classes)}.'
            )
    return classes


def _natural(name: str) -> list:
    """So that 'a10' comes after 'a9'."""
    return [(int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', name)]
