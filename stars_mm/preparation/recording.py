"""What a reader yields."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Keypoints (M, T, V, C) with their scores (M, T, V), or None in their place.
Clip = tuple[np.ndarray, np.ndarray | None]


@dataclass
class Recording:
    """One clip, as a reader yields it.

    Args:
        name (str): Name of the clip; no two have the same.
        label (str or int): Name or number of its class.
        subject (str or int, optional): Who is seen. Splits by subject need it.
        keypoints (np.ndarray or callable): (M persons, T frames, V joints, C = 2 or 3 coordinates),
            or (T, V, C) of a single person. A person who is absent from a frame is zero or NaN
            there. Or a function without arguments that gives such an array, or a pair of it and the
            scores: it is called when the clip is converted, and a ValueError of it does not keep
            other clips from being looked at.
        scores (np.ndarray, optional): Confidence of each joint, of the shape
            of ``keypoints`` without C.
        camera (str or int, optional): Which camera or view it is from.
        split (str, optional): The split that it belongs to, where the data say so.
        source (str): File (and place in it), for messages.
    """

    name: str
    label: str | int
    subject: str | int | None
    keypoints: np.ndarray | Callable
    scores: np.ndarray | None = None
    camera: str | int | None = None
    split: str | None = None
    source: str = ''

    @property
    def place(self) -> str:
        """str: Where to look for what is wrong with it."""
        return self.source or f'clip {self.name!r}'

    def load(self) -> Clip:
        """The keypoints and scores, read now where they were not yet.

        Raises:
            ValueError: Says what is wrong, and not in which file.
        """
        found, scores = self.keypoints, self.scores
        if callable(found):
            found = found()
            if isinstance(found, tuple):
                found, scores = found
        keypoints = np.asarray(found)
        scores = None if scores is None else np.asarray(scores)
        if keypoints.dtype.kind not in 'fiu' or (
            scores is not None and scores.dtype.kind not in 'fiu'
        ):
            raise ValueError('keypoints or scores are no numbers.')
        if keypoints.ndim == 3:
            keypoints = keypoints[None]
            scores = None if scores is None else scores[None]
        if keypoints.ndim != 4 or 0 in keypoints.shape or keypoints.shape[-1] not in (2, 3):
            raise ValueError(
                f'keypoints have shape {keypoints.shape}; (M persons, T '
                'frames, V joints, 2 or 3 coordinates) is needed, none of '
                'them 0.'
            )
        if scores is not None and scores.shape != keypoints.shape[:3]:
            raise ValueError(
                f'scores have shape {scores.shape} beside keypoints of shape {keypoints.shape}.'
            )
        return keypoints, scores
