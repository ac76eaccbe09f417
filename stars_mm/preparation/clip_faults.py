"""Finds the clips that would spoil a training before it starts."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import MMLogger

from stars_mm.preparation.annotation_file import clip_key
from stars_mm.utils.input_error import InputError, shown

#: Unit → metres.
METRES = dict(m=1.0, cm=1e-2, mm=1e-3)
#: No body is farther from the origin, in metres or pixels.
FARTHEST = 1e4
#: No data set has more classes: a label by mistake would ask for a classifier of gigabytes.
MOST_CLASSES = 10_000


class ClipSizes(NamedTuple):
    """The sizes of a data set's clips."""

    num_joints: int  # V, the same in all clips
    in_channels: int  # C, and one more for scores, because ``FormatGCNInput`` appends them
    max_persons: int  # the largest M


def _value_fault(key: str, array: np.ndarray, farthest: float) -> str | None:
    """Says whether values are NaN or infinite, where no body is, or zero throughout."""
    with np.errstate(over='ignore'):  # half precision ends before
        bad = ~np.isfinite(array) | (np.abs(array) > farthest)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        no_body = f', and no body is beyond {farthest:g}' if np.isfinite(array[where]) else ''
        return f'{key}{list(where)} is {array[where]}{no_body}'
    if key == 'keypoint' and not array.any():
        return 'keypoint is zero throughout, an empty recording'
    return None


def farthest_coordinate(unit: str | None) -> float:
    """Beyond what no coordinate of a body is: 10,000 metres or pixels; where the unit is not known
    it may be the millimetre."""
    return FARTHEST if unit == 'px' else FARTHEST / METRES.get(unit or '', METRES['mm'])


def clip_fault(clip: dict, unit: str | None = None) -> str | None:
    """Says what is wrong with the shape or the values of a clip whose coordinates are in a layout's
    ``unit``."""
    arrays = {key: clip[key] for key in ('keypoint', 'keypoint_score') if clip.get(key) is not None}
    for key, array in {'keypoint': None, **arrays}.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in 'fiu':
            found = getattr(array, 'dtype', type(array).__name__)
            return f'{key} is {found}, no array of numbers'
    shape = arrays['keypoint'].shape
    if len(shape) != 4 or 0 in shape:
        needed = '(M persons, T frames, V joints, C coordinates) is needed, none of them 0'
        return f'keypoint has shape {shape}; {needed}'
    scores = arrays.get('keypoint_score')
    if scores is not None and scores.shape != shape[:3]:
        beside = f'beside a keypoint of shape {shape}; (M, T, V) is needed'
        return f'keypoint_score has shape {scores.shape} {beside}'
    if fault := _length_fault(clip):
        return fault
    farthest = dict(keypoint=farthest_coordinate(unit), keypoint_score=np.finfo(np.float64).max)
    faults = (_value_fault(key, array, farthest[key]) for key, array in arrays.items())
    return next(filter(None, faults), None)


def _length_fault(clip: dict) -> str | None:
    shape = clip['keypoint'].shape
    frames = clip.get('total_frames', shape[1])
    if not isinstance(frames, (int, np.integer)) or not 0 < frames <= shape[1]:
        return f'total_frames is {shown(frames)} beside a keypoint of shape {shape} (M, T, V, C)'
    return None


def _size(clip: dict) -> tuple[int, int, bool]:
    """V, C and whether there are scores: the same in every clip."""
    return clip['keypoint'].shape[2:] + ('keypoint_score' in clip,)


def _describe(V: int, C: int, has_scores: bool) -> str:
    return f'V={V} joints, C={C} coordinates, {"with" if has_scores else "no"} keypoint_score'


def find_faults(
    clips: list[dict], known: dict[int, str] | None = None, unit: str | None = None
) -> dict[int, str]:
    """Looks through clips for what no training can use: position of a faulty clip → what is wrong
    with it. ``known`` is what :func:`clip_fault` says of them, where they have been looked through
    before; ``unit`` that of their coordinates."""
    if known is None:
        known = {n: fault for n, clip in enumerate(clips) if (fault := clip_fault(clip, unit))}
    others = [(n, clip) for n, clip in enumerate(clips) if n not in known]
    # the lengths lie elsewhere than the arrays of which it is known
    known = known | {n: fault for n, clip in others if (fault := _length_fault(clip))}
    sizes = {n: _size(clip) for n, clip in enumerate(clips) if n not in known}
    if not sizes:
        return known
    ((usual, count),) = Counter(sizes.values()).most_common(1)
    odd = {
        n: f'keypoint has shape {clips[n]["keypoint"].shape} ({_describe(*size)}), '
        f'and {count} of the {len(clips)} clips have {_describe(*usual)}'
        for n, size in sizes.items()
        if size != usual
    }
    return {**known, **odd}


def is_class_list(label: Any) -> bool:
    """Whether a label is a list of classes, as for ``multi_class``."""
    return isinstance(label, (list, tuple, np.ndarray)) and getattr(label, 'ndim', 1) == 1


def label_fault(clip: dict, num_classes: int, multi_class: bool) -> str | None:
    """Says what is wrong with the label of a clip, 0 to ``num_classes`` - 1, or a list of such. A
    clip may have none, unless it is to be a list."""
    label: Any = clip.get('label')
    is_list = multi_class and is_class_list(label)
    if label is None and not multi_class:
        return None
    if multi_class and not is_list:
        return f'label is {shown(label)}, no list of classes'
    for value in label if is_list else [label]:
        if not isinstance(value, (int, np.integer)) or not (0 <= value < num_classes):
            needed = f'num_classes={num_classes} needs an integer from 0 to {num_classes - 1}'
            return f'label is {shown(value)}, and {needed}'
    return None


def check_labels(clips: list[dict], num_classes: int, multi_class: bool, source: str) -> None:
    """Raises an InputError on the first label that is no class, see :func:`label_fault`."""
    key = clip_key(clips)
    for clip in clips:
        fault = label_fault(clip, num_classes, multi_class)
        if fault:
            name = f'clip {shown(clip.get(key))}'
            raise InputError(source, fault, 'Mend the label or num_classes.', clip=name)


def check_clips(
    clips: list[dict],
    missing: list[str],
    invalid: str,
    source: str,
    known: dict[int, str] | None = None,
) -> tuple[list[dict], ClipSizes]:
    """Refuses faulty clips of a split, or leaves them out.

    Args:
        clips (list[dict]): Annotations. ``total_frames`` is filled in where it is missing.
        missing (list[str]): Clips that the split lists and the file lacks.
        invalid (str): 'error' raises on the first fault, 'drop' logs them.
        source (str): The annotation file, for messages.
        known (dict, optional): As :func:`find_faults` takes it.

    Returns:
        tuple: The clips that are sound, and their sizes; an InputError if there are none.
    """
    faults = find_faults(clips, known)
    key = clip_key(clips)
    reasons = [
        f'{shown(clips[number].get(key))}: {fault}' for number, fault in sorted(faults.items())
    ]
    reasons += [f'{shown(name)}: the split lists it, the annotations lack it' for name in missing]
    sound = [clip for n, clip in enumerate(clips) if n not in faults]
    if reasons and (invalid == 'error' or not sound):
        more = f' (and {len(reasons) - 1} more clips)' if len(reasons) > 1 else ''
        remedy = "Mend the file, or say invalid='drop' to leave such clips out."
        if not sound:
            remedy = 'No sound clip is left: make the file again.'
        raise InputError(source, f'clip {reasons[0]}{more}', remedy)
    if reasons:
        MMLogger.get_current_instance().warning(
            f"{source}: invalid='drop' leaves out {len(reasons)} clips, "
            f'{len(sound)} remain:\n  ' + '\n  '.join(reasons)
        )
    for clip in sound:
        clip.setdefault('total_frames', clip['keypoint'].shape[1])
    V, C, has_scores = _size(sound[0])
    return sound, ClipSizes(V, C + has_scores, max(len(clip['keypoint']) for clip in sound))
