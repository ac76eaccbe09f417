"""Collation that makes few objects of a batch."""

from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import FUNCTIONS

from stars_mm.datasets.deferred import DeferredClip, merge_clips


class DataSamples(list):
    """A list of data samples that is quickly sent to another process.

    Torch sends each tensor through shared memory of its own, which takes
    longer for a label than making a clip. Here a label goes as an array.
    """

    def __reduce__(self) -> tuple:
        return _unpacked, ([_packed(sample) for sample in self],)


def _packed(sample: ActionDataSample) -> tuple[dict, dict[str, Any]]:
    return sample.metainfo, {
        key: value.numpy() if isinstance(value, torch.Tensor) else value
        for key, value in sample.items()
    }


def _unpacked(packed: list[tuple]) -> DataSamples:
    return DataSamples(
        ActionDataSample(
            metainfo=metainfo,
            **{
                key: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
                for key, value in fields.items()
            },
        )
        for metainfo, fields in packed
    )


@FUNCTIONS.register_module()
def collate_clips(samples: list[dict]) -> dict:
    """Collates clips of any pipeline in the worker, so that they go to the
    main process, into pinned memory and to a GPU as a whole.

    Args:
        samples (list[dict]): N of ``inputs``, tensors of one shape or
            :class:`DeferredClip`, and ``data_samples``.

    Returns:
        dict: ``inputs`` (a tensor, or a :class:`DeferredBatch`), for
        ``SkeletonPreprocessor``, and ``data_samples`` (list).
    """
    inputs = [sample['inputs'] for sample in samples]
    deferred = isinstance(inputs[0], DeferredClip)
    return dict(
        inputs=merge_clips(inputs) if deferred else torch.stack(inputs),
        data_samples=DataSamples(sample['data_samples'] for sample in samples),
    )
