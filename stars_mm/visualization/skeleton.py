"""Skeletons as line drawings: bone lists and the view that flattens them."""

from collections.abc import Sequence

import numpy as np

# Kinect v2 joints of NTU RGB+D and PKU-MMD, numbered from 0 (Shahroudy et
# al., "NTU RGB+D", CVPR 2016, figure 2).
_NTU_25 = (
    (0, 1),
    (1, 20),
    (20, 2),
    (2, 3),
    (20, 4),
    (4, 5),
    (5, 6),
    (6, 7),
    (20, 8),
    (8, 9),
    (9, 10),
    (10, 11),
    (0, 12),
    (12, 13),
    (13, 14),
    (14, 15),
    (0, 16),
    (16, 17),
    (17, 18),
    (18, 19),
    (7, 21),
    (7, 22),
    (11, 23),
    (11, 24),
)

# Kinect v1 joints of Northwestern-UCLA Multiview Action 3D, from 0: hip
# centre, spine, shoulder centre, head, then arms and legs, left first.
_NW_UCLA_20 = (
    (0, 1),
    (1, 2),
    (2, 3),
    (2, 4),
    (4, 5),
    (5, 6),
    (6, 7),
    (2, 8),
    (8, 9),
    (9, 10),
    (10, 11),
    (0, 12),
    (12, 13),
    (13, 14),
    (14, 15),
    (0, 16),
    (16, 17),
    (17, 18),
    (18, 19),
)

_BONES = {25: _NTU_25, 20: _NW_UCLA_20}


def bones_for(num_joints: int) -> tuple[tuple[int, int], ...]:
    """Bones of a skeleton, found by its number of joints.

    Args:
        num_joints (int): V.

    Returns:
        tuple[tuple[int, int], ...]: Pairs of joints, from 0. Empty for a
        layout that is not known: it is drawn as points.
    """
    return _BONES.get(num_joints, ())


def project(joints: np.ndarray, yaw: float = 0.45) -> np.ndarray:
    """Parallel projection onto an upright plane.

    The cameras of these data sets have y upwards and look along z. The
    slight turn shows movements along the line of sight too.

    Args:
        joints (np.ndarray): (..., 3) xyz in metres.
        yaw (float): Turn about the vertical axis in radians.

    Returns:
        np.ndarray: (..., 2) horizontal and vertical position in metres.
    """
    x, y, z = np.moveaxis(np.asarray(joints, dtype=np.float64), -1, 0)
    return np.stack([x * np.cos(yaw) + z * np.sin(yaw), y], axis=-1)


def segments(points: np.ndarray, bones: Sequence[tuple[int, int]], shown: np.ndarray) -> np.ndarray:
    """Line segments of the bones whose two joints are both shown.

    Args:
        points (np.ndarray): (V, 2) projected joints.
        bones (sequence[tuple[int, int]]): Pairs of joints.
        shown (np.ndarray): (V,) bool.

    Returns:
        np.ndarray: (bones shown, 2, 2) start and end points.
    """
    lines = [(points[a], points[b]) for a, b in bones if shown[a] and shown[b]]
    return np.array(lines).reshape(-1, 2, 2)
