from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn

from stars_mm.evaluation.functional.feature_space import CLIP_PARTS, ENCODER_PARTS
from stars_mm.evaluation.functional.geometry import joint_distances, positions

_MEASURES = dict(positions=positions, distances=joint_distances, raw=lambda clips: clips.flatten(1))


def measure_clips(clips: Tensor, parts: Sequence[str]) -> dict[str, Tensor]:
    """Some of ``CLIP_PARTS`` (N, …) of clips (N, clips, M, T, V, C), by name."""
    return {part: _MEASURES[part](clips) for part in parts}


@MODELS.register_module()
class PartFeatures(BaseModel):
    """Measures what a :class:`FeatureSpace` is made of: a data sample's ``feature`` is all parts in
    one row, so that it is gathered and ordered as any feature, and :meth:`split` takes it apart.

    The clips' own parts are those of the pipeline's coordinates; the encoder gets what its own
    data preprocessor makes of them, such as bones.

    Args:
        parts (Sequence[str]): Some of ``ENCODER_PARTS`` and ``CLIP_PARTS``.
        encoder (nn.Module, optional): A self-supervised algorithm, for parts of an encoder.
    """

    def __init__(self, parts: Sequence[str], encoder: nn.Module | None = None) -> None:
        super().__init__(dict(type='mmaction.SkeletonPreprocessor'))
        if encoder is None and set(parts) & set(ENCODER_PARTS):
            raise ValueError(f'parts={tuple(parts)} need an encoder, only {CLIP_PARTS} need none.')
        if encoder is not None and not hasattr(encoder, 'extract_parts'):
            raise ValueError(
                f'{type(encoder).__name__} has no extract_parts(inputs), which a feature space '
                'needs. Give a model of BaseSkeletonSSL.'
            )
        self.parts = tuple(parts)
        self.encoder = encoder
        self.widths: list[int] = []

    def forward(self, inputs: Tensor, data_samples: list, mode: str = 'predict') -> list:
        """The data samples with their features."""
        parts = self.measure(inputs, self.parts)
        rows = [parts[part].flatten(1) for part in self.parts]
        self.widths = [row.shape[1] for row in rows]
        for data_sample, feat in zip(data_samples, torch.cat(rows, dim=1)):
            data_sample.feature = feat
        return data_samples

    def measure(self, inputs: Tensor, parts: Sequence[str]) -> dict[str, Tensor]:
        """Some parts (N, …) of clips (N, clips, M, T, V, C), by name."""
        found = measure_clips(inputs, [part for part in parts if part in CLIP_PARTS])
        if len(found) < len(parts):
            own = dict(inputs=inputs, data_samples=None)
            found.update(self.encoder.extract_parts(self.encoder.data_preprocessor(own)['inputs']))
        return {part: found[part] for part in parts}

    def split(self, features: Tensor) -> dict[str, Tensor]:
        """Features (N, C) by part."""
        return dict(zip(self.parts, features.split(self.widths, dim=1)))
