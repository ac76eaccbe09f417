"""Data sets and transforms of skeleton clips."""
from .annotation import load_annotations, save_annotations
from .clip_map import open_clip_map
from .clip_store import ClipStore
from .collation import collate_clips
from .skeleton_dataset import SkeletonDataset
from .transforms import (CenterSkeleton, MultiView, PackViews, RandomRot,
                         TemporalCropResize)

__all__ = [
    'CenterSkeleton', 'ClipStore', 'MultiView', 'PackViews', 'RandomRot',
    'SkeletonDataset', 'TemporalCropResize', 'collate_clips',
    'load_annotations', 'open_clip_map', 'save_annotations'
]
