from typing import Dict, Optional, Sequence

from mmengine.logging import MMLogger

from mmaction.registry import METRICS
from ...engine.features import ClipList, FeatureSet
from ..functional.knn import knn_accuracy
from .feature_metric import FeatureMetric


@METRICS.register_module()
class KNNMetric(FeatureMetric):
    """Accuracy of the k nearest neighbours under cosine similarity, in
    percent: ``knn/top1_k1`` and so on.

    Exact for any number of clips, in bounded memory, and the same on CPU and
    GPU and however many processes computed the features; see
    :func:`knn_predict` for how ties are decided.

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

    @property
    def protocol(self) -> str:
        """str: How neighbours vote, for the log."""
        if self.temperature is None:
            return 'uniform vote (the reported protocol)'
        return (f'votes weighted by exp(cosine / {self.temperature:g}) (the '
                'monitor of training)')

    def check_clips(self, bank: ClipList, query: ClipList) -> None:
        """Check the numbers of neighbours and the classes."""
        if max(self.topk_neighbors) > len(bank.labels):
            raise ValueError(
                f'KNNMetric: topk_neighbors={self.topk_neighbors} are more '
                f'than the {len(bank.labels)} clips of the bank, '
                f'{bank.source}.')
        unknown = sorted(set(query.labels) - set(bank.labels))
        if unknown:
            raise ValueError(
                f'KNNMetric: {len(unknown)} classes of {query.source} have no '
                f'clip in the bank, {bank.source}, such as {unknown[0]}; its '
                f'classes are {sorted(set(bank.labels))}. Evaluate on the '
                'same classes: choose the data sets, or their `labels`.')

    def compute(self, bank: FeatureSet,
                query: FeatureSet) -> Dict[str, float]:
        """Accuracy of the query for each k; see :class:`FeatureMetric`."""
        MMLogger.get_current_instance().info(
            f'{self.prefix}: {len(query.labels)} clips by their nearest among '
            f'{len(bank.labels)}, cosine, {self.protocol}')
        return knn_accuracy(bank.features, bank.labels, query.features,
                            query.labels, self.topk_neighbors,
                            self.temperature)
