from abc import abstractmethod
from typing import Any, Dict, List, Sequence

from mmengine.evaluator import BaseMetric

from ...engine.features import FeatureSet


class FeatureMetric(BaseMetric):
    """Base of the metrics that compare the features of a query set with those
    of a bank.

    :class:`FeatureValLoop` and :class:`FeatureTestLoop` hand every metric the
    data samples of both sets, told apart by the metainfo ``role``, ``'bank'``
    or ``'query'``.
    """

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the features of one batch.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Data samples with ``feature``,
                ``gt_label``, ``sample_idx`` and ``role``, all of one role.
        """
        self.results.append((data_samples[0]['role'],
                             FeatureSet.from_samples(data_samples).cpu()))

    def compute_metrics(self, results: List[tuple]) -> Dict[str, float]:
        """Compute the metric from the batches of all ranks."""
        return self.compute(
            bank=self._collect(results, 'bank'),
            query=self._collect(results, 'query'))

    @abstractmethod
    def compute(self, bank: FeatureSet,
                query: FeatureSet) -> Dict[str, float]:
        """Compute the metric.

        Args:
            bank (FeatureSet): Labelled features to compare with.
            query (FeatureSet): Features that are judged.

        Returns:
            dict[str, float]: Name → value.
        """

    def _collect(self, results: List[tuple], role: str) -> FeatureSet:
        parts = [feats for its_role, feats in results if its_role == role]
        if not parts:
            raise ValueError(
                f'{type(self).__name__} got no features of the {role}. Run it '
                'under FeatureValLoop or FeatureTestLoop, which take a '
                'bank_dataloader.')
        return FeatureSet.cat(parts)
