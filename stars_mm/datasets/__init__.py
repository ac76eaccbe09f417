"""Data sets and transforms of skeleton clips."""

from stars_mm.datasets.annotation_summary import summarize_annotations
from stars_mm.datasets.balanced_sampler import BalancedSampler
from stars_mm.datasets.clip_cache import open_clip_store
from stars_mm.datasets.clip_store import ClipStore
from stars_mm.datasets.collation import collate_clips
from stars_mm.datasets.skeleton_dataset import SkeletonDataset
from stars_mm.datasets.transforms import (
    CenterSkeleton,
    MapJoints,
    MotionTimeWarp,
    MultiView,
    PackViews,
    RandomRot,
    TemporalCropResize,
)
from stars_mm.datasets.union_dataset import UnionDataset
from stars_mm.preparation.annotation_file import load_annotations, save_annotations

__all__ = [
    'BalancedSampler',
    'CenterSkeleton',
    'ClipStore',
    'MapJoints',
    'MotionTimeWarp',
    'MultiView',
    'PackViews',
    'RandomRot',
    'SkeletonDataset',
    'TemporalCropResize',
    'UnionDataset',
    'collate_clips',
    'load_annotations',
    'open_clip_store',
    'save_annotations',
    'summarize_annotations',
]
