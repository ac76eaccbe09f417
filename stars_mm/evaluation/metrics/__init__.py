from .cluster_metric import ClusterMetric
from .feature_metric import FeatureMetric
from .few_shot_metric import FewShotMetric
from .knn_metric import KNNMetric

__all__ = ['ClusterMetric', 'FeatureMetric', 'FewShotMetric', 'KNNMetric']
