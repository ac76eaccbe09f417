"""Guesses in what unit coordinates are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: How large a body is in each unit of space: the diagonal of the box around it. It is 1.3 to 2.1 m
#: in recordings of adults; a child, or someone seated or seen from the waist up, is smaller.
_BODY = {'metres': (0.4, 3.5), 'centimetres': (40, 350), 'millimetres': (400, 3500)}


class Units(NamedTuple):
    """The unit of a file, as it seems."""

    name: str  # metres, centimetres, millimetres, pixels, normalised or unknown
    body_size: float  # diagonal of the box around a body, the median over clips
    dims: int  # 2 or 3 dimensions; a third coordinate may be a confidence
    why: str  # by which rule


def guess_units(sizes: Sequence[float], reach: float, dims: int) -> Units:
    """Guesses the unit from how large bodies are.

    Args:
        sizes (Sequence[float]): The size of a body in each clip; NaN for an empty one.
        reach (float): The largest magnitude of a coordinate in the file.
        dims (int): 2 or 3.

    Returns:
        Units: The guess.
    """
    known = np.asarray(sizes, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return Units('unknown', float('nan'), dims, 'there is no body')
    size = float(np.median(known))
    body = f'a body measures {size:.3g}, the diagonal of the box around it'
    if dims == 2:
        name = 'pixels' if size > 10 else 'normalised'
        return Units(name, size, dims, f'2D, and {body}')
    if 0.98 <= reach <= 1:  # less may be metres, from the hips
        return Units('normalised', size, dims, 'the largest coordinate is 1, and none is beyond')
    for name, (low, high) in _BODY.items():
        if low <= size <= high:
            return Units(name, size, dims, body)
    return Units('unknown', size, dims, body)
