from collections.abc import Sequence

import torch
from mmaction.registry import METRICS
from mmengine.dist import all_reduce, get_dist_info
from mmengine.logging import MMLogger
from torch import Tensor

from stars_mm.engine.features import ClipList, FeatureSet
from stars_mm.evaluation.functional.class_results import (
    class_results,
    frequent_confusions,
    worst_classes,
)
from stars_mm.evaluation.functional.knn import knn_predict
from stars_mm.evaluation.metrics.feature_metric import FeatureMetric


@METRICS.register_module()
class KNNMetric(FeatureMetric):
    """Accuracy of the k nearest neighbors under cosine similarity, in
    percent: ``knn/top1_k1`` and so on.

    Exact for any number of clips, in bounded memory, and the same on CPU and GPU and however many
    processes computed the features, each of which seeks the neighbors of its share of the query;
    see :func:`knn_predict` for how ties are decided.

    Args:
        topk_neighbors (Sequence[int]): Numbers k of neighbors.
        temperature (float, optional): Votes weigh exp(similarity / temperature). By default all
            weigh the same, the protocol of the reported figures.
        collect_device (str): As every metric of mmengine has it; the ranks'
            features meet by the processes' own backend whatever it says.
        prefix (str, optional): What stands before the names; ``'knn'``, or
            ``'knn_weighted'`` with a temperature.
    """

    def __init__(
        self,
        topk_neighbors: Sequence[int] = (1, 2, 5, 10),
        temperature: float | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        if not topk_neighbors or any(type(k) is not int or k < 1 for k in topk_neighbors):
            raise ValueError(
                f'topk_neighbors must be positive whole numbers, got {topk_neighbors}.'
            )
        if temperature is not None and temperature <= 0:
            raise ValueError(f'temperature must be positive: {temperature}.')
        if prefix is None:
            prefix = 'knn' if temperature is None else 'knn_weighted'
        super().__init__(collect_device, prefix)
        self.topk_neighbors = tuple(topk_neighbors)
        self.temperature = temperature

    @property
    def protocol(self) -> str:
        """str: How neighbors vote, for the log."""
        if self.temperature is None:
            return 'uniform vote (the reported protocol)'
        return f'votes weighted by exp(cosine / {self.temperature:g}) (the monitor of training)'

    def check_clips(self, bank: ClipList, query: ClipList) -> None:
        """Check the numbers of neighbors and the classes."""
        if max(self.topk_neighbors) > len(bank.labels):
            raise ValueError(
                f'KNNMetric: topk_neighbors={self.topk_neighbors} are more than the '
                f'{len(bank.labels)} clips of the bank, {bank.source}.'
            )
        unknown = sorted(set(query.labels) - set(bank.labels))
        if unknown:
            raise ValueError(
                f'KNNMetric: {len(unknown)} classes of {query.source} have no clip in the bank, '
                f'{bank.source}: {query.titles(unknown)}; it has {bank.titles(bank.labels)}. '
                'Evaluate on the same classes: choose the data sets, or their `labels`.'
            )

    def predict(self, bank: FeatureSet, query: FeatureSet) -> Tensor:
        """Class of each query clip, by its nearest neighbor."""
        return knn_predict(bank.features, bank.labels, query.features)[0]

    def compute(self, bank: FeatureSet, query: FeatureSet) -> dict[str, float]:
        """Accuracy ``top1_k{k}`` in percent; all processes call this, and share the query."""
        rank, world_size = get_dist_info()
        MMLogger.get_current_instance().info(
            f'{self.prefix}: {len(query.labels)} clips by their nearest among '
            f'{len(bank.labels)}, cosine, {self.protocol}'
        )
        feats, labels = (all_of[rank::world_size] for all_of in (query.features, query.labels))
        hits = torch.zeros(len(self.topk_neighbors), dtype=torch.int64)
        if len(labels):
            predictions = knn_predict(
                bank.features, bank.labels, feats, self.topk_neighbors, self.temperature
            )
            hits += (predictions == labels).sum(dim=1)
            if world_size == 1:
                self._log_classes(labels, predictions[0])
        if world_size > 1:
            all_reduce(hits)
        accuracy = hits.double() / len(query.labels) * 100
        return {f'top1_k{k}': value for k, value in zip(self.topk_neighbors, accuracy.tolist())}

    def _log_classes(self, labels: Tensor, predicted: Tensor) -> None:
        """Name what is recognized least, where the data set has names."""
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            return
        found = class_results(labels.tolist(), labels.numpy(), predicted.numpy(), classes)
        worst = [f'{row["name"]} {row["accuracy"]:.1f} %' for row in worst_classes(found, 3)]
        pairs = [f'{one} → {other} ({n})' for one, other, n in frequent_confusions(found, 3)]
        if worst:
            MMLogger.get_current_instance().info(
                f'{self.prefix}, k = {self.topk_neighbors[0]}: least recognized '
                f'{", ".join(worst)}; most often taken for another {", ".join(pairs)}'
            )
