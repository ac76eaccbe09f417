from stars_mm.engine.runner.feature_loop import FeatureTestLoop, FeatureValLoop
from stars_mm.engine.runner.staged_runner import StagedRunner

__all__ = ['FeatureTestLoop', 'FeatureValLoop', 'StagedRunner']
