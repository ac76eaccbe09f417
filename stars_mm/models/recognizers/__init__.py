from .frozen_recognizer_gcn import FrozenRecognizerGCN

__all__ = ['FrozenRecognizerGCN']
