from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.dist import all_gather_object, get_dist_info, get_world_size
from mmengine.evaluator import BaseMetric
from torch import Tensor

from stars_mm.engine.features import ClipList, FeatureSet


def share(function: Callable[[Any], Any], items: Sequence[Any]) -> list:
    """``[function(item) for item in items]`` on all processes, each of which computes its share."""
    rank, size = get_dist_info()
    parts = all_gather_object([function(item) for item in items[rank::size]])
    return [parts[number % size][number // size] for number in range(len(items))]


class FeatureMetric(BaseMetric):
    """Base of the metrics that compare the features of a query set with those of a bank.

    :class:`FeatureValLoop` and :class:`FeatureTestLoop` hand every metric the
    data samples of both sets, told apart by the metainfo ``role``, ``'bank'``
    or ``'query'``. When they are built, they call :meth:`prepare`.
    """

    #: Folder of the run, known once :meth:`prepare` was called.
    work_dir: str | None = None

    def prepare(self, bank: ClipList, query: ClipList, work_dir: str | None = None) -> None:
        """Look at the clips before their features are computed, in the folder of a run; a
        ValueError if the metric cannot be computed for them. Those without a label do not
        count."""
        self.work_dir = work_dir
        self.check_clips(bank.labeled(), query.labeled())

    def check_clips(self, bank: ClipList, query: ClipList) -> None:
        """Raise a ValueError where the metric cannot be computed; see :meth:`prepare`."""

    def predict(self, bank: FeatureSet, query: FeatureSet) -> Tensor | None:
        """Class of each query clip, (Q, ), of a metric that says one."""
        return None

    @abstractmethod
    def compute(self, bank: FeatureSet, query: FeatureSet) -> dict[str, float]:
        """The metric's values by name, of labelled features to compare with and of those that are
        judged."""

    def evaluate(self, size: int) -> dict[str, float]:
        """Compute the metric; several processes all get all features, and share the work by
        :func:`share`."""
        if get_world_size() == 1:
            return super().evaluate(size)
        results = [part for parts in all_gather_object(self.results) for part in parts]
        self.results.clear()
        found = self.compute_metrics(results)
        return {f'{self.prefix}/{key}': value for key, value in found.items()}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the features of one batch: data samples with ``feature``, ``gt_label``,
        ``sample_idx`` and ``role``, all of one role."""
        self.results.append((data_samples[0]['role'], FeatureSet.from_samples(data_samples).cpu()))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Compute the metric from the role and features of each batch of all ranks."""
        return self.compute(*(self.collect(results, role) for role in ('bank', 'query')))

    def collect(self, results: list[tuple], role: str) -> FeatureSet:
        """The bank or the query; a ValueError if there is none, or a feature is not finite."""
        parts = [feats for its_role, feats in results if its_role == role]
        if not parts:
            raise ValueError(
                f'{type(self).__name__} got no features of the {role}. Run it under FeatureValLoop '
                'or FeatureTestLoop, which take a bank_dataloader.'
            )
        whole = FeatureSet.cat(parts).labeled()
        finite = whole.features.isfinite().all(dim=1)
        if not finite.all():
            first = int(whole.sample_idx[~finite][0])
            raise ValueError(
                f'{int((~finite).sum())} of {len(finite)} features of the {role} are not finite, '
                f'that of clip {first} is the first: the weights are spoilt, or a clip is.'
            )
        return whole
