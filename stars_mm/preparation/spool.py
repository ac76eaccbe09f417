"""Converted clips in a temporary file, so that one is held in memory."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

import numpy as np

from stars_mm.preparation.recording import Recording


class Spool:
    """Takes clips one by one and gives them back as annotations.

    Class numbers and splits are known only when all clips have been seen.

    Args:
        file (IO[bytes]): An open temporary file.

    Attributes:
        clips (list[Recording]): Those taken, without their keypoints.
        frames (list[int]): T of each.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.clips: list[Recording] = []
        self.frames: list[int] = []
        self._size: tuple | None = None
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """str: Of all names, labels, keypoints and scores."""
        return self._digest.hexdigest()

    def add(self, clip: Recording, keypoints: np.ndarray, scores: np.ndarray | None) -> None:
        """Takes a clip.

        Args:
            clip (Recording): Its name, label and so on.
            keypoints (np.ndarray): (M, T, V, C), as they are to be stored.
            scores (np.ndarray, optional): (M, T, V).

        Raises:
            ValueError: If V, C or the presence of scores differ from those of the first clip.
        """
        size = (*keypoints.shape[2:], scores is not None)
        if size != (self._size or size):
            raise ValueError(
                f'has {_describe(size)}; {self.clips[0].place} '
                f'has {_describe(self._size)}. All clips must be '
                'alike.'
            )
        self._size = size
        self.clips.append(replace(clip, keypoints=None, scores=None))
        self.frames.append(keypoints.shape[1])
        self._digest.update(f'{clip.name} {clip.label}\n'.encode())
        for array in (keypoints, scores):
            if array is not None:
                np.save(self.file, array, allow_pickle=False)
                self._digest.update(np.ascontiguousarray(array).tobytes())

    def annotations(self, labels: dict[str, int]) -> Iterator[dict]:
        """Reads the clips back.

        Args:
            labels (dict): Name of a class → its number.

        Yields:
            dict: The annotation of a clip, with ``subject`` and ``camera`` where they are known.
        """
        self.file.seek(0)
        for clip, frames in zip(self.clips, self.frames):
            annotation = dict(
                frame_dir=clip.name,
                label=labels[str(clip.label)],
                keypoint=np.load(self.file, allow_pickle=False),
                total_frames=frames,
            )
            if self._size[-1]:
                annotation['keypoint_score'] = np.load(self.file, allow_pickle=False)
            for key in ('subject', 'camera'):
                if getattr(clip, key) is not None:
                    annotation[key] = str(getattr(clip, key))
            yield annotation


def _describe(size: tuple) -> str:
    return f'{size[0]} joints, {size[1]} coordinates and {"scores" if size[2] else "no scores"}'
