from mmaction.registry import METRICS

from stars_mm.engine.features import ClipList, FeatureSet
from stars_mm.evaluation.functional.clusters import cluster_scores
from stars_mm.evaluation.metrics.feature_metric import FeatureMetric, share


@METRICS.register_module()
class ClusterMetric(FeatureMetric):
    """How well the query's features cluster by class: ``cluster/nmi``, ``cluster/ari``,
    ``cluster/silhouette`` and ``cluster/distance_ratio``, the mean distance within classes over
    that between them; see :func:`cluster_scores`.

    Beside k-means, memory and time grow with clips × classes: no distances of all pairs are made.

    Args:
        seed (int): Seed of k-means.
        collect_device (str): Where the ranks' features meet.
        prefix (str, optional): What stands before the names.
    """

    default_prefix = 'cluster'

    def __init__(
        self, seed: int = 0, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device, prefix)
        self.seed = seed

    def check_clips(self, bank: ClipList, query: ClipList) -> None:
        """Check that there is something to cluster."""
        classes = len(set(query.labels))
        if not 2 <= classes < len(query.labels):
            raise ValueError(
                f'ClusterMetric: {query.source} has {classes} classes in {len(query.labels)} '
                'clips; it needs at least two classes and more clips than classes.'
            )

    def compute(self, bank: FeatureSet, query: FeatureSet) -> dict[str, float]:
        """Scores of the query; see :func:`cluster_scores`."""
        return cluster_scores(query.features, query.labels, self.seed, share)
