from stars_mm.evaluation.functional.clusters import (
    class_distances,
    cluster_scores,
    silhouette_samples,
)
from stars_mm.evaluation.functional.feature_space import FEATURE_SPACES, FeatureSpace
from stars_mm.evaluation.functional.few_shot import (
    draw_exemplars,
    few_shot_accuracy,
    mean_and_interval,
)
from stars_mm.evaluation.functional.geometry import joint_distances, positions
from stars_mm.evaluation.functional.half_whitening import HalfWhitening
from stars_mm.evaluation.functional.knn import knn_accuracy, knn_predict, nearest_neighbors
from stars_mm.evaluation.functional.mutual_neighbors import pull_to_mutual_neighbors

__all__ = [
    'FEATURE_SPACES',
    'FeatureSpace',
    'HalfWhitening',
    'class_distances',
    'cluster_scores',
    'draw_exemplars',
    'few_shot_accuracy',
    'joint_distances',
    'knn_accuracy',
    'knn_predict',
    'mean_and_interval',
    'nearest_neighbors',
    'positions',
    'pull_to_mutual_neighbors',
    'silhouette_samples',
]
