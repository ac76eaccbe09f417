"""Data sets and transforms of skeleton clips."""
from .annotation import load_annotations, save_annotations
from .skeleton_dataset import SkeletonDataset
from .transforms import (CenterSkeleton, MultiView, RandomRot,
                         TemporalCropResize)

__all__ = [
    'CenterSkeleton', 'MultiView', 'RandomRot', 'SkeletonDataset',
    'TemporalCropResize', 'load_annotations', 'save_annotations'
]
