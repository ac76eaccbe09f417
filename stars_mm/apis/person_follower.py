"""Keeps to one person of a stream."""

import numpy as np

from stars_mm.preparation.clip_conversion import find_missing
from stars_mm.preparation.layouts import SkeletonLayout


class PersonFollower:
    """Picks the same person out of every frame: the largest at first, then the one that is nearest
    to where that was. One that is farther away than a body is large is somebody else.

    Joints that are missing stay where they were last; one that was never seen is put where its
    parent is, or in the middle of the others.

    Args:
        layout (SkeletonLayout): Whose the joints are.
    """

    def __init__(self, layout: SkeletonLayout) -> None:
        self.layout = layout
        self.forget()

    def forget(self) -> None:
        """Take the largest again."""
        self._last: np.ndarray | None = None

    def follow(self, keypoints: np.ndarray | None, scores: np.ndarray | None) -> np.ndarray | None:
        """The person's joints (V, C) float64 in a frame (M, V, C) or (V, C); None where it is not
        there. A ValueError if the frame is none of the layout's."""
        if keypoints is None or np.size(keypoints) == 0:
            return None
        bodies = np.array(keypoints, dtype=np.float64)
        bodies = bodies[None] if bodies.ndim == 2 else bodies
        V = self.layout.num_joints
        if bodies.ndim != 3 or bodies.shape[1] != V or bodies.shape[2] not in (2, 3):
            raise ValueError(
                f'keypoints have shape {np.shape(keypoints)}; layout {self.layout.name!r} has {V} '
                'joints, of 2 or 3 numbers each.'
            )
        if self._last is not None and self._last.shape[-1] != bodies.shape[2]:
            raise ValueError(f'keypoints have {bodies.shape[2]} numbers, those before had others.')
        bodies[~np.isfinite(bodies)] = np.nan
        if scores is not None:
            scores = np.asarray(scores, np.float64).reshape(len(bodies), 1, V)
        missing, present = (x[:, 0] for x in find_missing(bodies[:, None], scores))
        bodies, missing = bodies[present], missing[present]
        if not len(bodies):
            return None
        bodies[missing] = np.nan
        size = np.linalg.norm(np.nanmax(bodies, axis=1) - np.nanmin(bodies, axis=1), axis=-1)
        best = int(size.argmax())
        if self._last is not None:
            far = np.nanmean(np.linalg.norm(bodies - self._last, axis=-1), axis=1)  # (M, )
            best = int(far.argmin())
            if far[best] > max(size[best], np.ptp(self._last, axis=0).max()):
                return None
        self._last = self._fill(bodies[best], missing[best])
        return self._last

    def _fill(self, body: np.ndarray, missing: np.ndarray) -> np.ndarray:
        if self._last is not None:
            return np.where(missing[:, None], self._last, body)
        filled = np.where(missing[:, None], np.nanmean(body, axis=0), body)
        for joint in np.flatnonzero(missing):
            end = joint
            while missing[end] and self.layout.parents[end] != end:
                end = self.layout.parents[end]
            filled[joint] = filled[end]
        return filled
