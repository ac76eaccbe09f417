"""Data sets and transforms of skeleton clips."""

from stars_mm.datasets.clip_map import open_clip_map
from stars_mm.datasets.collation import collate_clips
from stars_mm.datasets.skeleton_dataset import SkeletonDataset
from stars_mm.datasets.transforms import (
    CenterSkeleton,
    MultiView,
    PackViews,
    RandomRot,
    TemporalCropResize,
)
from stars_mm.preparation.annotation_file import load_annotations, save_annotations
from stars_mm.preparation.clip_store import ClipStore

__all__ = [
    'CenterSkeleton',
    'ClipStore',
    'MultiView',
    'PackViews',
    'RandomRot',
    'SkeletonDataset',
    'TemporalCropResize',
    'collate_clips',
    'load_annotations',
    'open_clip_map',
    'save_annotations',
]
