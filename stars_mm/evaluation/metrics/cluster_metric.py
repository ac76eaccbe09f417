from typing import Dict, Optional

from mmaction.registry import METRICS
from ...engine.features import FeatureSet
from ..functional.clusters import cluster_scores
from .feature_metric import FeatureMetric


@METRICS.register_module()
class ClusterMetric(FeatureMetric):
    """How well the query's features cluster by class: ``cluster/nmi``,
    ``cluster/ari`` and ``cluster/silhouette``.

    Args:
        seed (int): Seed of k-means.
        collect_device (str): Where the ranks' features meet.
        prefix (str, optional): What stands before the names.
    """

    default_prefix = 'cluster'

    def __init__(self,
                 seed: int = 0,
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None) -> None:
        super().__init__(collect_device, prefix)
        self.seed = seed

    def compute(self, bank: FeatureSet,
                query: FeatureSet) -> Dict[str, float]:
        """Scores of the query; see :func:`cluster_scores`."""
        return cluster_scores(query.features, query.labels, self.seed)
