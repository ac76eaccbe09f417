from .stream_preprocessor import StreamPreprocessor

__all__ = ['StreamPreprocessor']
