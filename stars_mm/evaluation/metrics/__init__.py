from stars_mm.evaluation.metrics.cluster_metric import ClusterMetric
from stars_mm.evaluation.metrics.feature_metric import FeatureMetric
from stars_mm.evaluation.metrics.few_shot_metric import FewShotMetric
from stars_mm.evaluation.metrics.knn_metric import KNNMetric
from stars_mm.evaluation.metrics.predictions import (
    ClassifierPredictions,
    FeaturePredictions,
    dump_metric,
)
from stars_mm.evaluation.metrics.ridge_metric import RidgeMetric

__all__ = [
    'ClassifierPredictions',
    'ClusterMetric',
    'FeatureMetric',
    'FeaturePredictions',
    'FewShotMetric',
    'KNNMetric',
    'RidgeMetric',
    'dump_metric',
]
