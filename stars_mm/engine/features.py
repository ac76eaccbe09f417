from dataclasses import dataclass
from typing import Iterable

import torch
from torch import Tensor, nn


@dataclass
class FeatureSet:
    """Sequence features of a data set.

    Attributes:
        features (Tensor): (N, C).
        labels (Tensor): Class of each clip, (N, ).
        sample_idx (Tensor): Index of each clip in its data set, (N, ).
    """

    features: Tensor
    labels: Tensor
    sample_idx: Tensor

    @classmethod
    def from_samples(cls, data_samples: list) -> 'FeatureSet':
        """Stack data samples, or dicts of them, that an algorithm's
        ``predict`` returned."""
        return cls(
            features=torch.stack([s.get('feature')
                                  for s in data_samples]).float(),
            labels=torch.cat([s.get('gt_label').reshape(1)
                              for s in data_samples]),
            sample_idx=torch.tensor([s.get('sample_idx')
                                     for s in data_samples]))

    @classmethod
    def cat(cls, parts: Iterable['FeatureSet']) -> 'FeatureSet':
        """Put parts together, each sample once, ordered by its index."""
        parts = list(parts)
        sample_idx = torch.cat([part.sample_idx for part in parts])
        # a distributed sampler pads the last batch with repeated samples
        unique, inverse = sample_idx.unique(return_inverse=True)
        first = torch.full_like(unique, len(sample_idx))
        first.scatter_reduce_(0, inverse, torch.arange(len(sample_idx)),
                              'amin')
        return cls(
            features=torch.cat([part.features for part in parts])[first],
            labels=torch.cat([part.labels for part in parts])[first],
            sample_idx=unique)

    def cpu(self) -> 'FeatureSet':
        """Move the tensors to the CPU."""
        return FeatureSet(self.features.cpu(), self.labels.cpu(),
                          self.sample_idx.cpu())


@torch.no_grad()
def extract_features(model: nn.Module, dataloader: Iterable) -> FeatureSet:
    """Sequence features of all clips of a data loader, in this process.

    Args:
        model (nn.Module): A self-supervised algorithm; it is left in
            evaluation mode.
        dataloader (Iterable): Batches as ``model.test_step`` takes them.

    Returns:
        FeatureSet: Features on the CPU, ordered by sample index.
    """
    model.eval()
    return FeatureSet.cat(
        FeatureSet.from_samples(model.test_step(batch)).cpu()
        for batch in dataloader)
