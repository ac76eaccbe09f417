from .clusters import cluster_scores
from .knn import knn_accuracy, knn_predict

__all__ = ['cluster_scores', 'knn_accuracy', 'knn_predict']
