from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import TASK_UTILS
from torch import Tensor

from stars_mm.evaluation.functional.half_whitening import HalfWhitening
from stars_mm.evaluation.functional.mutual_neighbors import pull_to_mutual_neighbors

#: What a space may be made of: the encoder's mean over all tokens and its vector a joint; the
#: clip's own geometry and coordinates.
ENCODER_PARTS = ('published', 'joints')
CLIP_PARTS = ('positions', 'distances', 'raw')

#: The spaces that are reported, name → arguments of :class:`FeatureSpace`.
FEATURE_SPACES: dict[str, dict[str, Any]] = {
    'raw_half_whitened': dict(parts=('raw',)),
    'geometry': dict(parts=('positions', 'distances')),
    'joints': dict(parts=('joints',)),
    'combined': dict(parts=('positions', 'distances', 'joints')),
}
FEATURE_SPACES.update(
    {
        f'{name}_pulled': dict(FEATURE_SPACES[name], pull=1)
        for name in ('geometry', 'joints', 'combined')
    }
)


class FeatureSpace:
    """Parts of a feature, each half-whitened and of unit length, side by side.

    The cosine of two features is the mean of those of their parts. What is fitted, to a bank
    without its labels, is one :class:`HalfWhitening` a part.

    Args:
        parts (Sequence[str]): Some of ``ENCODER_PARTS`` and ``CLIP_PARTS``.
        components (int), power (float): Those of :class:`HalfWhitening`.
        pull (float): How much :meth:`compare` draws the features to their mutual neighbors in the
            bank, see the weight of :func:`pull_to_mutual_neighbors`; 0 leaves them.
    """

    def __init__(
        self, parts: Sequence[str], components: int = 100, power: float = 0.5, pull: float = 0
    ) -> None:
        known = (*ENCODER_PARTS, *CLIP_PARTS)
        unknown = [part for part in parts if part not in known]
        if isinstance(parts, str) or not parts or unknown or len(set(parts)) < len(parts):
            raise ValueError(f'parts={parts!r}: give some of {known}, each once.')
        self.parts = tuple(parts)
        self.pull = pull
        self.whitenings = {part: HalfWhitening(components, power) for part in self.parts}

    def fit(self, bank: Mapping[str, Tensor]) -> 'FeatureSpace':
        """Fit every part to that of a bank, (N, …)."""
        for part, whitening in self.whitenings.items():
            whitening.fit(bank[part].flatten(1))
        return self

    def transform(self, features: Mapping[str, Tensor]) -> Tensor:
        """The features (N, K) of unit length of clips whose parts are (N, …)."""
        blocks = [
            F.normalize(whitening.transform(features[part].flatten(1)))
            for part, whitening in self.whitenings.items()
        ]
        return F.normalize(torch.cat(blocks, dim=1))

    def compare(
        self, bank: Mapping[str, Tensor], query: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Features of bank and query that are compared by their cosine, fitted to the bank."""
        return self.fit(bank).place(bank, query)

    def place(
        self, bank: Mapping[str, Tensor], query: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """What :meth:`compare` gives, by what was fitted before."""
        feats = self.transform(bank), self.transform(query)
        return pull_to_mutual_neighbors(*feats, weight=self.pull) if self.pull else feats


def compare_spaces(
    names: Sequence[str], bank: Mapping[str, Tensor], query: Mapping[str, Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Features of bank and query in several of ``FEATURE_SPACES``, by name; see
    :meth:`FeatureSpace.compare`. Each part is fitted once."""
    fitted: dict[str, HalfWhitening] = {}
    found = {}
    for name in names:
        space = build_feature_space(name)
        for part, whitening in space.whitenings.items():
            if part not in fitted:
                fitted[part] = whitening.fit(bank[part].flatten(1))
        space.whitenings = {part: fitted[part] for part in space.parts}
        found[name] = space.place(bank, query)
    return found


@TASK_UTILS.register_module()
def build_feature_space(space: str | dict) -> FeatureSpace:
    """The space of a name of ``FEATURE_SPACES``, or of the arguments of :class:`FeatureSpace`."""
    if isinstance(space, str):
        if space not in FEATURE_SPACES:
            raise ValueError(
                f'feature_space={space!r}: there are {", ".join(FEATURE_SPACES)}; or give the '
                'arguments of FeatureSpace.'
            )
        space = FEATURE_SPACES[space]
    return FeatureSpace(**space)
