from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger
from torch import Tensor, nn

#: Stands for the class of a clip that has no label.
UNLABELED = -1
#: So many classes are named in a message.
_MAX_TITLES = 10


@dataclass
class ClipList:
    """What a data set says of its clips before any feature is computed."""

    names: list[str]  #: of each clip, its ``frame_dir``
    labels: list[int]  #: class of each clip, ``UNLABELED`` where it has none
    source: str  #: split and file, for messages
    class_names: list[str] | None = None  #: in the order of the classes, where the data set says

    @classmethod
    def from_dataset(cls, dataset: BaseDataset) -> 'ClipList':
        """List the clips of a data set, in its order.

        Raises:
            ValueError: If the label of a clip is something else than a class.
        """
        source = getattr(dataset, 'ann_file', type(dataset).__name__)
        if getattr(dataset, 'split', None):
            source = f'split {dataset.split!r} of {source}'
        clips = clip_infos(dataset)
        names = [str(clip.get('frame_dir')) for clip in clips]
        labels = [clip.get('label') for clip in clips]
        labels = [UNLABELED if label is None else label for label in labels]
        for name, label in zip(names, labels):
            if not isinstance(label, (int, np.integer)):
                raise ValueError(
                    f'{source}: clip {name!r} has the label {label!r}; features are judged by one '
                    'class a clip. Give it one, or switch validation off (--no-validate).'
                )
        class_names = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        return cls(names, labels, source, class_names)

    def titles(self, labels: Iterable[int]) -> str:
        """The names of some classes, or their numbers where none are known, for messages."""
        names, classes = dict(enumerate(self.class_names or ())), sorted(set(labels))
        more = ', …' * (len(classes) > _MAX_TITLES)
        return ', '.join(str(names.get(label, label)) for label in classes[:_MAX_TITLES]) + more

    def labeled(self) -> 'ClipList':
        """The clips that have a label.

        Raises:
            ValueError: If none has.
        """
        kept = [n for n, label in enumerate(self.labels) if label != UNLABELED]
        if not kept:
            raise ValueError(
                f'{self.source}: no clip has a label, and features are judged by the class. '
                'Label some, or switch validation off (--no-validate).'
            )
        if len(kept) == len(self.labels):
            return self
        MMLogger.get_current_instance().info(
            f'{self.source}: judged are the {len(kept)} of {len(self.labels)} clips that have a '
            'label'
        )
        names, labels = ([own[n] for n in kept] for own in (self.names, self.labels))
        return replace(self, names=names, labels=labels)


def clip_infos(dataset: BaseDataset) -> list[dict]:
    """What a data set says of its clips, in its order, without their arrays where it can."""
    read = getattr(dataset, 'get_clip_info', dataset.get_data_info)
    return [read(number) for number in range(len(dataset))]


@dataclass
class FeatureSet:
    """Sequence features of a data set."""

    features: Tensor  #: (N, C)
    labels: Tensor  #: class of each clip, ``UNLABELED`` where it has none, (N, )
    sample_idx: Tensor  #: index of each clip in its data set, (N, )
    names: list[str] | None = None  #: of each clip, where the pipeline packs its ``frame_dir``

    @classmethod
    def from_samples(cls, data_samples: list) -> 'FeatureSet':
        """Stack data samples, or dicts of them, that an algorithm's ``predict`` returned."""
        names = [s.get('frame_dir') for s in data_samples]
        return cls(
            features=torch.stack([s.get('feature') for s in data_samples]).float(),
            labels=torch.cat([_label(s).reshape(1) for s in data_samples]),
            sample_idx=torch.tensor([s.get('sample_idx') for s in data_samples]),
            names=None if None in names else names,
        )

    @classmethod
    def cat(cls, parts: Iterable['FeatureSet']) -> 'FeatureSet':
        """Put parts together, each sample once, ordered by its index."""
        parts = list(parts)
        sample_idx = torch.cat([part.sample_idx for part in parts])
        # a distributed sampler pads the last batch with repeated samples
        unique, inverse = sample_idx.unique(return_inverse=True)
        first = torch.full_like(unique, len(sample_idx))
        first.scatter_reduce_(0, inverse, torch.arange(len(sample_idx)), 'amin')
        names = None
        if all(part.names is not None for part in parts):
            names = [name for part in parts for name in part.names]
            names = [names[place] for place in first.tolist()]
        features = torch.cat([part.features for part in parts])
        if not torch.equal(first, torch.arange(len(sample_idx))):  # spares a copy of what is large
            features = features[first]
        return cls(
            features=features,
            labels=torch.cat([part.labels for part in parts])[first],
            sample_idx=unique,
            names=names,
        )

    def labeled(self) -> 'FeatureSet':
        """The clips that have a label."""
        kept = (self.labels != UNLABELED).nonzero().flatten()
        if len(kept) == len(self.labels):
            return self
        names = self.names and [self.names[place] for place in kept.tolist()]
        return FeatureSet(self.features[kept], self.labels[kept], self.sample_idx[kept], names)

    def cpu(self) -> 'FeatureSet':
        """Move the tensors to the CPU."""
        return FeatureSet(self.features.cpu(), self.labels.cpu(), self.sample_idx.cpu(), self.names)


def _label(sample: dict) -> Tensor:
    label = sample.get('gt_label')
    return torch.tensor(UNLABELED) if label is None else label


@torch.no_grad()
def extract_features(model: nn.Module, dataloader: Iterable) -> FeatureSet:
    """Sequence features of all clips of a data loader, in this process.

    Args:
        model (nn.Module): A self-supervised algorithm; it is left in evaluation mode.
        dataloader (Iterable): Batches as ``model.test_step`` takes them.

    Returns:
        FeatureSet: Features on the CPU, ordered by sample index.
    """
    model.eval()
    batches = (FeatureSet.from_samples(model.test_step(batch)).cpu() for batch in dataloader)
    return FeatureSet.cat(batches)
