"""Several data sets as one."""

from collections.abc import Sequence
from typing import Any

from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset, ConcatDataset


@DATASETS.register_module()
class UnionDataset(ConcatDataset):
    """Data sets one after another, each with its own file and pipeline, to pretrain on all of them.

    To mmengine's ``ConcatDataset`` it adds that no two clips have one ``sample_idx``, by which
    heads know a clip again, and that random transforms can be tied to the epoch. The pipelines
    have to end with clips of one shape: ``MapJoints`` brings any skeleton to the same joints. The
    labels stay those of each set, so a union is for training without labels.

    Args:
        datasets (Sequence[dict | BaseDataset]): Their configs, or the data sets.
        **kwargs: The other arguments of ``ConcatDataset``.
    """

    def __init__(self, datasets: Sequence[dict | BaseDataset], **kwargs: Any) -> None:
        if isinstance(datasets, dict) or not datasets:
            raise ValueError(f'datasets={datasets!r}: give a list of data sets, one or more.')
        built = [DATASETS.build(one) if isinstance(one, dict) else one for one in datasets]
        super().__init__(built, **{'ignore_keys': ['classes'], **kwargs})
        names = [one.metainfo.get('classes') for one in built]
        if any(name != names[0] for name in names):
            self._metainfo.pop('classes', None)

    def _in_union(self, number: int, sample_idx: int) -> int:
        """Index in the union of a clip of a data set."""
        return sample_idx + (self.cumulative_sizes[number - 1] if number else 0)

    def get_data_info(self, idx: int) -> dict:
        """The annotation at ``idx``, whose ``sample_idx`` is that of the union."""
        info = super().get_data_info(idx)
        number, _ = self._get_ori_dataset_idx(idx)
        info['sample_idx'] = self._in_union(number, info['sample_idx'])
        return info

    def __getitem__(self, idx: int) -> Any:
        """The clip at ``idx`` after the pipeline of its data set."""
        item = super().__getitem__(idx)
        number, _ = self._get_ori_dataset_idx(idx)
        sample = item['data_samples']
        if 'sample_idx' in sample:  # as it was packed: a data set may draw another clip
            sample.set_metainfo(dict(sample_idx=self._in_union(number, sample.sample_idx)))
        return item

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Ties random transforms to seed, epoch and clip; see ``SkeletonDataset.set_epoch``."""
        for number, dataset in enumerate(self.datasets):
            if hasattr(dataset, 'set_epoch'):
                dataset.set_epoch(epoch, seed * len(self.datasets) + number)
