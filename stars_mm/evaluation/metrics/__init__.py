from .cluster_metric import ClusterMetric
from .feature_metric import FeatureMetric
from .knn_metric import KNNMetric

__all__ = ['ClusterMetric', 'FeatureMetric', 'KNNMetric']
