"""Skeleton layouts: what the joints of a clip are called and how they hang together."""

from stars_mm.preparation.layouts.layout import SkeletonLayout
from stars_mm.preparation.layouts.lookup import (
    NW_UCLA,
    get_layout,
    joint_parents,
    known_layouts,
    stored_layout,
    stored_unit,
)
from stars_mm.preparation.layouts.mapping import joint_map

__all__ = [
    'NW_UCLA',
    'SkeletonLayout',
    'get_layout',
    'joint_map',
    'joint_parents',
    'known_layouts',
    'stored_layout',
    'stored_unit',
]
