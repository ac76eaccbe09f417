"""Measures one clip: who is there, how large they are, how they move."""

import hashlib
from typing import NamedTuple

import numpy as np

#: A joint jumps if, between two frames, it moves farther than this part of
#: the size of a body of the clip …
JUMP_OF_SIZE = 0.5
#: … and than this many times the median step of the clip's joints.
JUMP_OF_MEDIAN = 10


class Jump(NamedTuple):
    """The largest step of a clip that is too large for a body; all numbers count from 0."""

    person: int
    frame: int  # that it leads to
    joint: int
    sizes: float  # its length, in sizes of a body


class ClipStats(NamedTuple):
    """What is measured of a clip. Lengths are in the unit of the clip."""

    frames: int  # total_frames
    unused: int  # frames of the array beyond those
    persons: int  # who are somewhere not zero; one who repeats another throughout is not counted
    empty_frames: int  # in which nobody is
    size: float  # diagonal of the box around a body, the median over frames and persons
    reach: float  # the largest magnitude of a coordinate
    scored: bool  # whether the third coordinate is taken for a confidence
    jumps: int  # frames that a joint jumps to
    jump: Jump | None  # the largest of the jumps
    still: bool  # whether nothing ever moves
    digest: bytes  # equal for equal coordinates alone, whatever the type and whoever is absent


def _is_score(coords: np.ndarray) -> bool:
    """Whether xyz are rather xy in pixels and a confidence from 0 to 1."""
    if len(coords) != 3:
        return False
    return bool(coords[2].min() >= 0 and coords[2].max() <= 1 and np.ptp(coords[:2]) > 10)


def _present(coords: np.ndarray, seen: np.ndarray) -> list[int]:
    """Persons who are there and repeat nobody, by number."""
    found: list[int] = []
    for person in np.flatnonzero(seen.any((0, 2))):
        if not any(np.array_equal(coords[:, :, person], coords[:, :, other]) for other in found):
            found.append(int(person))
    return found


def _body_size(places: np.ndarray, seen: np.ndarray) -> float:
    """Median diagonal of the box around the joints that are seen."""
    low = np.where(seen, places, np.inf).min(1)  # (C, M, T)
    high = np.where(seen, places, -np.inf).max(1)
    extent = (high - low)[:, seen.any(0)]
    return float(np.median(np.sqrt(np.square(extent).sum(0))))


def _steps(places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(V, M, T-1) how far joints move; NaN where one is not seen."""
    steps = np.sqrt(np.square(places[..., 1:] - places[..., :-1]).sum(0))
    return np.where(seen[..., 1:] & seen[..., :-1], steps, np.nan)


def _find_jumps(steps: np.ndarray, size: float, persons: list[int]) -> tuple[int, Jump | None]:
    """Frames that a joint jumps to, and the largest jump."""
    far = steps > JUMP_OF_SIZE * size
    if not far.any():  # as in nearly every clip: no median is needed
        return 0, None
    far &= steps > JUMP_OF_MEDIAN * np.nanmedian(steps)
    if not far.any():
        return 0, None
    joint, person, frame = map(int, np.unravel_index(np.where(far, steps, 0).argmax(), steps.shape))
    longest = float(steps[joint, person, frame] / size)
    return int(far.any((0, 1)).sum()), Jump(persons[person], frame + 1, joint, longest)


def measure_clip(clip: dict) -> ClipStats:
    """Measures a clip in which ``find_faults`` has found none.

    A joint that is 0 in all coordinates counts as not seen, as data sets
    write it: it belongs to no box and makes no step.

    Args:
        clip (dict): An annotation with ``keypoint`` (M, T, V, C).

    Returns:
        ClipStats: The measures.
    """
    whole = clip['keypoint']
    frames = int(clip.get('total_frames', whole.shape[1]))
    with np.errstate(over='ignore', invalid='ignore'):
        # (C, V, M, T): many times faster to reduce over joints
        coords = np.ascontiguousarray(whole[:, :frames].transpose(3, 2, 0, 1), dtype=np.float32)
        scored = _is_score(coords)
        seen = (coords[:2] if scored else coords).any(0)  # (V, M, T)
        persons = _present(coords, seen)
        if len(persons) < len(whole):
            coords, seen = coords[:, :, persons], seen[:, persons]
        places = coords[:2] if scored else coords
        steps = _steps(places, seen)
        size = _body_size(places, seen) if persons else np.nan
        jumps, jump = _find_jumps(steps, size, persons)
        reach = float(np.abs(places).max(initial=0))
    digest = hashlib.blake2b(repr(coords.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(coords))
    return ClipStats(
        frames=frames,
        unused=whole.shape[1] - frames,
        persons=len(persons),
        empty_frames=int(frames - seen.any((0, 1)).sum()),
        size=size,
        reach=reach,
        scored=scored,
        jumps=jumps,
        jump=jump,
        still=not (steps > 0).any(),
        digest=digest.digest(),
    )
