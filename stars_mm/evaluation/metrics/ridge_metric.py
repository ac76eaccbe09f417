from statistics import mean, stdev

from mmaction.registry import METRICS
from torch import Tensor

from stars_mm.engine.features import ClipList, FeatureSet
from stars_mm.evaluation.functional.ridge import draw_labeled, ridge_accuracy, ridge_predict
from stars_mm.evaluation.metrics.feature_metric import FeatureMetric, share


@METRICS.register_module()
class RidgeMetric(FeatureMetric):
    """A regularized linear classifier on the features, in percent: ``ridge/accuracy`` with all
    labels of the bank, and ``ridge/accuracy_10pct`` with a tenth of them, mean over draws;
    ``…_std`` is the standard deviation over the draws. See :func:`ridge_accuracy`.

    It is the cheap linear readout, in seconds; the published linear protocol trains by gradients.

    Args:
        percent (float): Share of the labels, each class the same number and at least one.
        draws (int): Number of draws.
        seed (int): Seed of the draws.
        collect_device (str): Where the ranks' features meet.
        prefix (str, optional): What stands before the names.
    """

    default_prefix = 'ridge'

    def __init__(
        self,
        percent: float = 10,
        draws: int = 5,
        seed: int = 0,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if not 0 < percent < 100 or draws < 1 or seed < 0:
            raise ValueError(
                f'percent={percent} must lie between 0 and 100, draws={draws} be 1 or more, and '
                f'seed={seed} 0 or more.'
            )
        self.percent, self.draws, self.seed = percent, draws, seed

    def check_clips(self, bank: ClipList, query: ClipList) -> None:
        """Check that there are classes to tell apart."""
        unknown = sorted(set(query.labels) - set(bank.labels))
        if unknown or len(set(bank.labels)) < 2:
            raise ValueError(
                f'RidgeMetric: {bank.source} has {bank.titles(bank.labels)}, and '
                f'{query.source} has {query.titles(unknown) or "no others"} beside. It needs two '
                "classes, and all of the query's in the bank: choose the data sets, or their "
                '`labels`.'
            )

    def predict(self, bank: FeatureSet, query: FeatureSet) -> Tensor:
        """Class of each query clip, by all labels of the bank."""
        return ridge_predict(bank.features, bank.labels, query.features)

    def compute(self, bank: FeatureSet, query: FeatureSet) -> dict[str, float]:
        """Accuracy with all labels and with few; see :class:`RidgeMetric`."""
        labels = bank.labels.tolist()
        drawn = [draw_labeled(labels, self.percent, self.seed, draw) for draw in range(self.draws)]

        def accuracy(own: list[int]) -> float:
            learned = bank.features[own], bank.labels[own]
            return ridge_accuracy(*learned, query.features, query.labels)

        whole, *few = share(accuracy, [list(range(len(labels))), *drawn])
        name = f'accuracy_{self.percent:g}pct'
        found = dict(accuracy=whole)
        found[name] = mean(few)
        if self.draws > 1:
            found[f'{name}_std'] = stdev(few)
        return found
