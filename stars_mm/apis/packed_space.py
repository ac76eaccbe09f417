"""Feature spaces as arrays, and the one that ships with an encoder."""

from collections.abc import Mapping

import numpy as np
import safetensors.torch
import torch

from stars_mm.apis.encoder import PackedEncoder
from stars_mm.evaluation.functional.feature_space import (
    CLIP_PARTS,
    ENCODER_PARTS,
    FEATURE_SPACES,
    FeatureSpace,
)
from stars_mm.utils.shipped_encoders import shipped_encoders, space_path

#: The space of recognition.
SPACE = 'combined'


def example_space() -> FeatureSpace:
    """The space of recognition, to be fitted."""
    return FeatureSpace(**FEATURE_SPACES[SPACE])


def shipped_space(encoder: PackedEncoder) -> FeatureSpace | None:
    """The space that was fitted to the clips which an encoder of the package was trained on, None
    where none ships."""
    path = space_path(encoder.name)
    if path is None or encoder.pipeline != shipped_encoders()[encoder.name]['pipeline']:
        return None
    return load_space(safetensors.torch.load_file(path))


def pack_space(space: FeatureSpace) -> dict[str, np.ndarray]:
    """Arrays that :func:`load_space` takes back, in half precision."""
    arrays = {}
    for part, whitening in space.whitenings.items():
        arrays[f'space/{part}/mean'] = whitening.mean.half().numpy()
        arrays[f'space/{part}/projection'] = whitening.projection.half().numpy()
    return arrays


def load_space(arrays: Mapping) -> FeatureSpace:
    """A fitted space of arrays or tensors."""
    found = {key.split('/')[1] for key in arrays if key.startswith('space/')}
    space = FeatureSpace([part for part in (*CLIP_PARTS, *ENCODER_PARTS) if part in found])
    for part, whitening in space.whitenings.items():
        mean, projection = (
            torch.as_tensor(arrays[f'space/{part}/{key}']).double()
            for key in ('mean', 'projection')
        )
        if mean.dim() != 1 or projection.dim() != 2 or len(projection) != len(mean):
            raise ValueError(f'space {part!r}: mean and projection do not belong together')
        whitening.mean, whitening.projection = mean, projection
    return space
