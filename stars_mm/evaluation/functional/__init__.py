from stars_mm.evaluation.functional.clusters import (
    class_distances,
    cluster_scores,
    silhouette_samples,
)
from stars_mm.evaluation.functional.few_shot import (
    draw_exemplars,
    few_shot_accuracy,
    mean_and_interval,
)
from stars_mm.evaluation.functional.knn import knn_accuracy, knn_predict, nearest_neighbors

__all__ = [
    'class_distances',
    'cluster_scores',
    'draw_exemplars',
    'few_shot_accuracy',
    'knn_accuracy',
    'knn_predict',
    'mean_and_interval',
    'nearest_neighbors',
    'silhouette_samples',
]
