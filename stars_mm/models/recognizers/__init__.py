from stars_mm.models.recognizers.frozen_recognizer_gcn import FrozenRecognizerGCN

__all__ = ['FrozenRecognizerGCN']
