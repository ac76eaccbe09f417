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
        farthest (float): Beyond what no coordinate of a body is.
    """

    def __init__(self, layout: SkeletonLayout, farthest: float = np.inf) -> None:
        self.layout, self.farthest = layout, farthest
        self.forget()

    def forget(self) -> None:
        """Take the largest again."""
        self._last: np.ndarray | None = None

    def follow(self, keypoints: np.ndarray | None, scores: np.ndarray | None) -> np.ndarray | None:
        """The person's joints (V, C) float64 in a frame (M, V, C) or (V, C); None where it is not
        there. A ValueError if the frame is none of the layout's, or of bodies too far away."""
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
        if (far := np.isfinite(bodies) & (np.abs(bodies) > self.farthest)).any():
            most = f'no body is beyond {self.farthest:g}'
            raise ValueError(f'keypoints hold {bodies[far][0]:g}, and {most}.')
        missing = np.zeros(bodies.shape[:2], bool)
        if scores is not None or not (np.isfinite(bodies).all() and bodies.any(axis=(1, 2)).all()):
            bodies, missing = _find_missing(bodies, scores)
        if not len(bodies):
            return None
        best = self._nearest(bodies, missing)
        if best is None:
            return None
        body, lost = bodies[best], missing[best]
        self._last = self._fill(self._last, body, lost) if lost.any() else body
        return self._last

    def _nearest(self, bodies: np.ndarray, missing: np.ndarray) -> int | None:
        """Number of the person that is followed; None where it is not among those."""
        there = ~missing[..., None]
        high = np.where(there, bodies, -np.inf).max(axis=1)
        size = np.sqrt(((high - np.where(there, bodies, np.inf).min(axis=1)) ** 2).sum(axis=1))
        if self._last is None:
            return int(size.argmax())
        far = np.sqrt(((bodies - self._last) ** 2).sum(axis=2))
        far = np.where(missing, 0, far).sum(axis=1) / (~missing).sum(axis=1)
        best = int(far.argmin())
        last_size = np.linalg.norm(np.ptp(self._last, axis=0))
        return best if far[best] <= max(size[best], last_size) else None

    def _fill(self, last: np.ndarray | None, body: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """A body (V, C) with its missing joints where they were in the last one (V, C)."""
        if last is not None:
            return np.where(missing[:, None], last, body)
        filled = np.where(missing[:, None], body[~missing].mean(axis=0), body)
        for joint in np.flatnonzero(missing):
            end = joint
            while missing[end] and self.layout.parents[end] != end:
                end = self.layout.parents[end]
            filled[joint] = filled[end]
        return filled


def _find_missing(bodies: np.ndarray, scores: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Those of bodies (M, V, C) that are there, and which of their joints are missing, (M, V)."""
    if scores is not None:
        scores = np.asarray(scores, np.float64).reshape(len(bodies), 1, -1)
    bodies = np.where(np.isfinite(bodies), bodies, np.nan)
    missing, present = (found[:, 0] for found in find_missing(bodies[:, None], scores))
    return bodies[present], missing[present]
