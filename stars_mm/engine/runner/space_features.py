from collections.abc import Iterator

import torch
from mmaction.registry import MODELS, TASK_UTILS
from mmengine.device import get_device
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank
from mmengine.model import is_model_wrapper
from torch import nn

from stars_mm.engine.features import FeatureSet


class SpaceFeatures:
    """Features of bank and query in a feature space, which is fitted once the whole bank was seen.

    Several processes hold the parts of the whole bank, and of their share of the query; the first
    one fits.

    Args:
        space (str or dict): Name of a space or arguments of :class:`FeatureSpace`.
        model (nn.Module): A self-supervised algorithm, wrapped or not.
    """

    def __init__(self, space: str | dict, model: nn.Module) -> None:
        self.space = TASK_UTILS.build(dict(type='build_feature_space', space=space))
        encoder = model.module if is_model_wrapper(model) else model
        parts = dict(type='PartFeatures', parts=self.space.parts, encoder=encoder)
        self.parts = MODELS.build(parts).to(get_device())
        self.samples: dict[str, list] = dict(bank=[], query=[])
        self.features: dict[str, list[FeatureSet]] = dict(bank=[], query=[])

    @torch.no_grad()
    def add(self, data_batch: dict, role: str) -> list:
        """Measure a batch of the ``'bank'`` or the ``'query'``; gives its data samples, without
        features so far."""
        samples = self.parts.test_step(data_batch)
        self.features[role].append(FeatureSet.from_samples(samples).cpu())
        for sample in samples:
            sample.pop('feature')
        self.samples[role].append(samples)
        return samples

    def batches(self) -> Iterator[list]:
        """Fit the space; then all batches of data samples with their ``feature``, the bank's
        first."""
        shares = all_gather_object(FeatureSet.cat(self.features['bank']))
        bank, query = FeatureSet.cat(shares), FeatureSet.cat(self.features['query'])
        parts = [self.parts.split(feats.features) for feats in (bank, query)]
        fitted = [self.space.fit(parts[0])] if get_rank() == 0 else [None]
        broadcast_object_list(fitted)
        found = fitted[0].place(*parts)
        for role, own, feats in zip(('bank', 'query'), (bank, query), found):
            for samples in self.samples[role]:
                index = torch.tensor([sample.sample_idx for sample in samples])
                rows = feats[torch.searchsorted(own.sample_idx, index)]
                for sample, row in zip(samples, rows):
                    sample.feature = row.clone()  # a row would be saved with all the others
                yield samples
            self.samples[role].clear()
            self.features[role].clear()
