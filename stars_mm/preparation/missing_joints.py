"""Joints that a recording lacks."""

import numpy as np

from stars_mm.preparation.layouts import SkeletonLayout


def find_missing(keypoints: np.ndarray, scores: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Finds missing joints and absent persons.

    A joint is missing where a coordinate is NaN, or where all are zero and its score too, as
    OpenPose writes it. A person of whom nothing else is there is absent.

    Args:
        keypoints (np.ndarray): (M, T, V, C).
        scores (np.ndarray, optional): (M, T, V).

    Returns:
        tuple: Missing (M, T, V) and present (M, T), bool.
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

    Linear in time between the frames that have the joint, constant before and
    after them. A joint that a person never has is put where its parent is;
    the root, in the middle of the joints that are there.

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
