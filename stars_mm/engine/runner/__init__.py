from .feature_loop import FeatureTestLoop, FeatureValLoop
from .staged_runner import StagedRunner

__all__ = ['FeatureTestLoop', 'FeatureValLoop', 'StagedRunner']
