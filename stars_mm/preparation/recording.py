"""What every reader yields: the one contract between data sets and the converter."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, cast

import numpy as np

from stars_mm.preparation.layouts import SkeletonLayout

#: What of a clip's notes is to be warned of: numbers of frames that its file lacks.
FRAMES_LACKING = 'frames are missing, by their numbers'


class Clip(NamedTuple):
    """What is in a recording: ``keypoints`` (M persons, T frames, V joints, C = 2 or 3
    coordinates), or (T, V, C) of a single person, zero or NaN where a person is absent."""

    keypoints: np.ndarray
    scores: np.ndarray | None = None  # confidence of each joint, (M, T, V)
    notes: dict[str, int] | None = None  # what the reader did to it → how often


class ClipLeftOut(ValueError):
    """Raised while a recording is loaded that its data set says to leave out: no fault."""


def leave_out(reason: str) -> NoReturn:
    """Leaves a recording out: ``keypoints=partial(leave_out, 'has no skeleton')``."""
    raise ClipLeftOut(reason)


@dataclass
class Recording:
    """One clip, as a reader yields it.

    Args:
        name (str): Name of the clip; no two have the same.
        label (str or int, optional): Name or number of its class; None where it is not known.
        subject (str or int, optional): Who is seen. Splits by subject need it.
        keypoints (np.ndarray or callable): As in :class:`Clip`. Or a function without arguments
            that gives such an array, or a :class:`Clip`: it is called when the clip is converted,
            and a ValueError of it does not keep other clips from being looked at. With a
            ``functools.partial`` of a module's function, the clip is converted on any core, and not
            again after an interruption; files are to be among the arguments.
        scores (np.ndarray, optional): As in :class:`Clip`.
        camera (str or int, optional): Which camera or view it is from.
        split (str or sequence[str], optional): The splits that it belongs to, where the data say.
        source (str): The file, for messages. Neighbours of one source are converted together.
    """

    name: str
    label: str | int | None = None
    subject: str | int | None = None
    keypoints: np.ndarray | Callable | None = None
    scores: np.ndarray | None = None
    camera: str | int | None = None
    split: str | Sequence[str] | None = None
    source: str = ''

    @property
    def place(self) -> str:
        """str: Where to look for what is wrong with it."""
        return self.source or f'clip {self.name!r}'

    @property
    def splits(self) -> tuple[str, ...]:
        """tuple[str, ...]: The splits that it belongs to."""
        if self.split is None:
            return ()
        return (self.split,) if isinstance(self.split, str) else tuple(self.split)

    def load(self) -> Clip:
        """What is in it, (M, T, V, C) and (M, T, V), read now where it was not yet.

        Raises:
            ValueError: Says what is wrong, and not in which file.
        """
        found: Any = self.keypoints() if callable(self.keypoints) else self.keypoints
        clip = Clip(*found) if isinstance(found, tuple) else Clip(found, self.scores)
        keypoints = np.asarray(clip.keypoints)
        scores = None if clip.scores is None else np.asarray(clip.scores)
        if any(
            array is not None and array.dtype.kind not in 'fiu' for array in (keypoints, scores)
        ):
            raise ValueError('keypoints or scores are no numbers.')
        if keypoints.ndim == 3:
            keypoints = keypoints[None]
            scores = None if scores is None else scores[None]
        shape = keypoints.shape
        if len(shape) != 4 or 0 in shape or shape[-1] not in (2, 3):
            needed = '(M persons, T frames, V joints, 2 or 3 coordinates) is needed, none of them 0'
            raise ValueError(f'keypoints have shape {shape}; {needed}.')
        if scores is not None and scores.shape != shape[:3]:
            raise ValueError(f'scores have shape {scores.shape} beside keypoints of shape {shape}.')
        return Clip(keypoints, scores, clip.notes)


@dataclass
class RecordingSet:
    """The recordings of a known data set, and what is known of all of them.

    Of each split in ``distinct`` another one is made, NAME_distinct, without the clips that have
    the very coordinates of a clip outside.
    """

    recordings: Iterable[Recording]
    title: str = ''  # the data set's name
    layout: str | SkeletonLayout | None = None  # of its joints, or its name
    unit: str | None = None  # of its coordinates, where not the layout's
    class_names: Sequence[str] | None = None  # labels in the order of their numbers
    keep_absent: bool = False  # one who is zero throughout stays, as in published arrays
    distinct: tuple[str, ...] = ()
    remarks: Sequence[str] = ()  # what of the source has no counterpart, for the summary

    def __iter__(self) -> Iterator[Recording]:
        return iter(self.recordings)

    def __len__(self) -> int:
        return len(cast(Sized, self.recordings))
