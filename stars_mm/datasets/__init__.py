"""Data sets and transforms of skeleton clips."""

import stars_mm.datasets.transforms  # noqa: F401  registers them
from stars_mm.datasets.annotation_summary import summarize_annotations
from stars_mm.datasets.collation import collate_clips
from stars_mm.datasets.skeleton_dataset import SkeletonDataset
from stars_mm.preparation.annotation_file import load_annotations, save_annotations

__all__ = [
    'SkeletonDataset',
    'collate_clips',
    'load_annotations',
    'save_annotations',
    'summarize_annotations',
]
