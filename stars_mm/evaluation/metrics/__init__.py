from stars_mm.evaluation.metrics.cluster_metric import ClusterMetric
from stars_mm.evaluation.metrics.feature_metric import FeatureMetric
from stars_mm.evaluation.metrics.few_shot_metric import FewShotMetric
from stars_mm.evaluation.metrics.knn_metric import KNNMetric

__all__ = ['ClusterMetric', 'FeatureMetric', 'FewShotMetric', 'KNNMetric']
