from .skeleton_preprocessor import SkeletonPreprocessor
from .stream_preprocessor import StreamPreprocessor

__all__ = ['SkeletonPreprocessor', 'StreamPreprocessor']
