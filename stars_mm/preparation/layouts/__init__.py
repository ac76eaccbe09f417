"""Skeleton layouts: what the joints of a clip are called and how they hang together."""

from stars_mm.preparation.layouts.known import COCO_17, H36M_17, KINECT_20, NTU_25, OPENPOSE_18
from stars_mm.preparation.layouts.layout import SkeletonLayout
from stars_mm.preparation.layouts.lookup import (
    NW_UCLA,
    get_layout,
    joint_parents,
    known_layouts,
    stored_layout,
)

__all__ = [
    'COCO_17',
    'H36M_17',
    'KINECT_20',
    'NTU_25',
    'NW_UCLA',
    'OPENPOSE_18',
    'SkeletonLayout',
    'get_layout',
    'joint_parents',
    'known_layouts',
    'stored_layout',
]
