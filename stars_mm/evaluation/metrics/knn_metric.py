from typing import Dict, Optional, Sequence

from mmaction.registry import METRICS
from ...engine.features import FeatureSet
from ..functional.knn import knn_accuracy
from .feature_metric import FeatureMetric


@METRICS.register_module()
class KNNMetric(FeatureMetric):
    """Accuracy of the k nearest neighbours under cosine similarity, in
    percent: ``knn/top1_k1`` and so on.

    Args:
        topk_neighbors (Sequence[int]): Numbers k of neighbours.
        temperature (float, optional): Votes weigh exp(similarity /
            temperature). By default all weigh the same, the protocol of the
            reported figures.
        collect_device (str): Where the ranks' features meet.
        prefix (str, optional): What stands before the names; ``'knn'``, or
            ``'knn_weighted'`` with a temperature.
    """

    def __init__(self,
                 topk_neighbors: Sequence[int] = (1, 2, 5, 10),
                 temperature: Optional[float] = None,
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None) -> None:
        if not topk_neighbors or min(topk_neighbors) < 1:
            raise ValueError('topk_neighbors must be positive numbers, got '
                             f'{topk_neighbors}.')
        if temperature is not None and temperature <= 0:
            raise ValueError(f'temperature must be positive: {temperature}.')
        if prefix is None:
            prefix = 'knn' if temperature is None else 'knn_weighted'
        super().__init__(collect_device, prefix)
        self.topk_neighbors = tuple(topk_neighbors)
        self.temperature = temperature

    def compute(self, bank: FeatureSet,
                query: FeatureSet) -> Dict[str, float]:
        """Accuracy of the query for each k; see :class:`FeatureMetric`."""
        return knn_accuracy(bank.features, bank.labels, query.features,
                            query.labels, self.topk_neighbors,
                            self.temperature)
