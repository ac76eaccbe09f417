"""Makes of one recording the clip that is stored."""

from dataclasses import dataclass

import numpy as np

from stars_mm.preparation.clip_faults import METRES, clip_fault
from stars_mm.preparation.inspection.clip_stats import measure_clip
from stars_mm.preparation.layouts import SkeletonLayout
from stars_mm.preparation.recording import Clip, ClipLeftOut, Recording
from stars_mm.utils.input_error import InputError, reading

#: What the system says of a recording that is not there or is no file.
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def find_missing(keypoints: np.ndarray, scores: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Finds missing joints (M, T, V) and present persons (M, T), both bool.

    A joint is missing where a coordinate is NaN, or where all are zero and its score too, as
    OpenPose writes it. A person of whom nothing else is there is absent.

    Args:
        keypoints (np.ndarray): (M, T, V, C).
        scores (np.ndarray, optional): (M, T, V).
    """
    missing = np.isnan(keypoints).any(axis=-1)
    zero = ~keypoints.any(axis=-1)
    if scores is not None:
        missing |= zero & (np.nan_to_num(scores) == 0)
    present = ~(missing | zero).all(axis=2)
    return missing & present[..., None], present


def fill_missing(
    keypoints: np.ndarray, missing: np.ndarray, present: np.ndarray, layout: SkeletonLayout
) -> np.ndarray:
    """Fills missing joints.

    Linear in time between the frames that have the joint, constant before and after them. A joint
    that a person never has is put where its parent is; the root, in the middle of the joints.

    Args:
        keypoints (np.ndarray): (M, T, V, C); comes back with absent persons zero.
        missing (np.ndarray): (M, T, V) bool.
        present (np.ndarray): (M, T) bool.
        layout (SkeletonLayout): Whose the joints are.
    """
    filled = np.where(missing[..., None], 0, keypoints)
    filled[~present] = 0
    times = np.arange(keypoints.shape[1])
    for m in range(len(filled)):
        here = present[m]
        lost = missing[m].any(axis=0) & here.any()
        never = missing[m][here].all(axis=0) & lost
        for joint in np.flatnonzero(lost & ~never):
            has = here & ~missing[m, :, joint]
            gap = here & missing[m, :, joint]
            for track in filled[m, :, joint].T:
                track[gap] = np.interp(times[gap], times[has], track[has])
        middle = filled[m][:, ~never].mean(axis=1)  # (T, C)
        for joint in np.flatnonzero(never):
            end = joint
            while never[end] and layout.parents[end] != end:
                end = layout.parents[end]
            filled[m, :, joint] = middle if never[end] else filled[m, :, end]
    return filled


@dataclass(frozen=True)
class ConversionOptions:
    """What is done to clips.

    Args:
        unit (str, optional): Unit of the coordinates where it is not the data set's or the
            layout's; centimetres and millimetres become metres.
        up (str): 'y', or 'z' where z points up: such clips are turned.
        missing (str): About missing joints: 'error' or 'interpolate', see :func:`fill_missing`.
        scores (bool): Whether confidences are kept.
        invalid (str): What to do about a clip that cannot be used: 'error' or 'drop'.
    """

    unit: str | None = None
    up: str = 'y'
    missing: str = 'error'
    scores: bool = True
    invalid: str = 'error'

    def __post_init__(self) -> None:
        choices = dict(up='y z', missing='error interpolate', invalid='error drop')
        for key, known in choices.items():
            if getattr(self, key) not in known.split():
                raise ValueError(f'{key}={getattr(self, key)!r}: choose one of {known}.')


def convert_clip(
    recording: Recording,
    layout: SkeletonLayout,
    unit: str,
    options: ConversionOptions,
    keep_absent: bool,
) -> dict:
    """A clip as it is stored, and its :class:`ClipStats` in plain types; or why it is left out.

    Raises:
        InputError: Says what is wrong with the recording.
        OSError: If the system cannot read: no fault of the recording, and the others' too.
    """
    try:
        with reading(recording.place):
            try:
                clip = recording.load()
            except ClipLeftOut as error:
                return dict(name=recording.name, left_out=str(error))
            arrays, filled = _prepare(clip, layout, unit, options, keep_absent)
    except (InputError, *_ABSENT) as error:
        if options.invalid == 'drop':
            return dict(
                name=recording.name, left_out=str(error).removeprefix(f'{recording.place}: ')
            )
        if isinstance(error, OSError):
            raise InputError(recording.place, str(error)) from error
        raise
    notes = {**(clip.notes or {}), 'joints interpolated': filled}
    notes = {what: int(count) for what, count in notes.items() if count}
    measured = measure_clip(arrays)._asdict()
    jump = measured['jump']
    stats = tuple({**measured, 'jump': jump and tuple(jump)}.values())
    return dict(name=recording.name, arrays=arrays, notes=notes, stats=stats)


def _prepare(
    clip: Clip, layout: SkeletonLayout, unit: str, options: ConversionOptions, keep_absent: bool
) -> tuple[dict[str, np.ndarray], int]:
    """``keypoint`` (M, T, V, C) and ``keypoint_score`` (M, T, V) as they are stored, float32, and
    the number of joints that were filled in."""
    V = clip.keypoints.shape[2]
    if V != layout.num_joints:
        raise ValueError(f"has {V} joints; layout '{layout.name}' has {layout.num_joints}.")
    keypoints, scores = clip.keypoints.astype(np.float64), clip.scores
    missing, present = find_missing(keypoints, scores)
    if not present.any():
        raise ValueError('shows no body in any frame.')
    if missing.any() and options.missing == 'error':
        m, t, v = (int(i) for i in np.argwhere(missing)[0])
        where = f'joint {layout.joints[v]} of person {m} is missing in frame {t} (counted from 0)'
        way = 'Mend it, or say --missing interpolate.'
        raise ValueError(f'{where}, one of {int(missing.sum())}. {way}')
    kept = present.any(axis=1) | keep_absent
    keypoints = fill_missing(keypoints, missing, present, layout)[kept]
    arrays = dict(keypoint=_float32(stored_coordinates(keypoints, unit, options.up)))
    if scores is not None and options.scores:
        scores = np.where(missing | ~present[..., None], 0, scores)
        arrays['keypoint_score'] = _float32(scores[kept])
    if fault := clip_fault(arrays, 'm' if unit in METRES else unit):
        raise ValueError(fault)
    return arrays, int(missing.sum())


def stored_coordinates(keypoints: np.ndarray, unit: str, up: str) -> np.ndarray:
    """Coordinates (…, C) with y upwards, centimetres and millimetres as metres."""
    if up == 'z' and keypoints.shape[-1] == 3:
        keypoints = keypoints[..., [0, 2, 1]] * (1, 1, -1)
    return keypoints * METRES.get(unit, 1.0)


def _float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):
        found = array.astype(np.float32)
    if not np.isfinite(found).all():
        m, t, v, *_ = where = tuple(np.argwhere(~np.isfinite(found))[0])
        place = f'person {m}, frame {t}, joint {v}'
        raise ValueError(f'holds {array[where]} ({place}), which is no finite number.')
    return found
