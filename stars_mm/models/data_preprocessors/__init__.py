from stars_mm.models.data_preprocessors.skeleton_preprocessor import SkeletonPreprocessor
from stars_mm.models.data_preprocessors.stream_preprocessor import StreamPreprocessor

__all__ = ['SkeletonPreprocessor', 'StreamPreprocessor']
