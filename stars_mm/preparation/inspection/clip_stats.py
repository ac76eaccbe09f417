"""Measures clips: who is there, how large they are, how they move, in what unit."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: A joint jumps if, between two frames, it moves farther than this part of
#: the size of a body of the clip …
JUMP_OF_SIZE = 0.5
#: … and than this many times the median step of the clip's joints.
JUMP_OF_MEDIAN = 10
#: How large a body is in each unit of space: the diagonal of the box around it. It is 1.3 to 2.1 m
#: in recordings of adults; a child, or someone seated or seen from the waist up, is smaller.
_BODY = {'metres': (0.4, 3.5), 'centimetres': (40, 350), 'millimetres': (400, 3500)}


#: A body beyond this is of no declared metres, whoever it may be of and whatever is seen of it.
_METRES = (0.1, 10)


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


class Units(NamedTuple):
    """The unit of a file, as it seems."""

    name: str  # metres, centimetres, millimetres, pixels, normalised or unknown
    body_size: float  # diagonal of the box around a body, the median over clips
    dims: int  # 2 or 3 dimensions; a third coordinate may be a confidence
    why: str  # by which rule


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
    return float(np.median(np.linalg.norm((high - low)[:, seen.any(0)], axis=0)))


def _find_jumps(steps: np.ndarray, size: float, persons: list[int]) -> tuple[int, Jump | None]:
    """Frames that a joint jumps to, and the largest jump."""
    far = steps > JUMP_OF_SIZE * size
    if far.any():  # as in hardly any clip: the median takes time
        far &= steps > JUMP_OF_MEDIAN * np.nanmedian(steps)
    if not far.any():
        return 0, None
    joint, person, frame = map(int, np.unravel_index(np.where(far, steps, 0).argmax(), steps.shape))
    longest = float(steps[joint, person, frame] / size)
    return int(far.any((0, 1)).sum()), Jump(persons[person], frame + 1, joint, longest)


def measure_clip(clip: dict) -> ClipStats:
    """Measures a clip, an annotation with ``keypoint`` (M, T, V, C) that is not at fault.

    A joint that is 0 in all coordinates counts as not seen, as data sets
    write it: it belongs to no box and makes no step.
    """
    whole = clip['keypoint']
    frames = int(clip.get('total_frames', whole.shape[1]))
    with np.errstate(over='ignore', invalid='ignore'):
        # (C, V, M, T): many times faster to reduce over joints
        coords = np.ascontiguousarray(whole[:, :frames].transpose(3, 2, 0, 1), dtype=np.float32)
        in_pixels = len(coords) == 3 and np.ptp(coords[:2]) > 10
        scored = in_pixels and coords[2].min() >= 0 and coords[2].max() <= 1
        seen: np.ndarray = np.any(coords[:2] if scored else coords, axis=0)  # (V, M, T)
        persons = _present(coords, seen)
        if len(persons) < len(whole):
            coords, seen = coords[:, :, persons], seen[:, persons]
        places = coords[:2] if scored else coords
        steps = np.linalg.norm(np.diff(places), axis=0)  # (V, M, T - 1)
        steps[~(seen[..., 1:] & seen[..., :-1])] = np.nan
        size = _body_size(places, seen) if persons else np.nan
        jumps, jump = _find_jumps(steps, size, persons)
        reach = float(np.abs(places).max(initial=0))
    digest = hashlib.blake2b(repr(coords.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(coords).data)
    return ClipStats(
        frames=frames,
        unused=whole.shape[1] - frames,
        persons=len(persons),
        empty_frames=int(frames - seen.any((0, 1)).sum()),
        size=size,
        reach=reach,
        scored=bool(scored),
        jumps=jumps,
        jump=jump,
        still=not (steps > 0).any(),
        digest=digest.digest(),
    )


def guess_units(sizes: Sequence[float], reach: float, dims: int) -> Units:
    """Guesses the unit from how large bodies are.

    Args:
        sizes (Sequence[float]): The size of a body in each clip; NaN for an empty one.
        reach (float): The largest magnitude of a coordinate in the file.
        dims (int): 2 or 3.
    """
    known = np.asarray(sizes, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return Units('unknown', float('nan'), dims, 'there is no body')
    size = float(np.median(known))
    shown = f'{size:.3g}' if size < 1000 else f'{size:.0f}'
    body = f'a body measures {shown}, the diagonal of the box around it'
    if dims == 2:
        name = 'pixels' if size > 10 else 'normalised'
        return Units(name, size, dims, f'2D, and {body}')
    if 0.98 <= reach <= 1:  # less may be metres, from the hips
        return Units('normalised', size, dims, 'the largest coordinate is 1, and none is beyond')
    for name, (low, high) in _BODY.items():
        if low <= size <= high:
            return Units(name, size, dims, body)
    return Units('unknown', size, dims, body)


def unit_fault(declared: str | None, units: Units) -> str | None:
    """Says how a file whose layout declares a unit contradicts the size of its bodies.

    Metres alone are refused: what is in another unit is scaled by the size of its bodies.
    """
    low, high = _METRES
    if declared != 'm' or not np.isfinite(units.body_size) or low <= units.body_size <= high:
        return None
    looks = f'; {units.name}, it seems' if units.name in ('centimetres', 'millimetres') else ''
    unit = dict(centimetres='cm', millimetres='mm').get(units.name, 'cm, mm or px')
    return (
        f'the layout declares metres, and {units.why}{looks}. Convert it again with --unit '
        f'{unit}, or other where no unit is known'
    )
