from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

#: Share of a joint's mean over time that :func:`positions` takes off
MEAN_SHARE = 0.7
_CLIPS = 256  # taken at a time: their distances of all frames need much room


def positions(clips: Tensor) -> Tensor:
    """How every joint moves, and a little of where it is, slowly.

    Each coordinate less 70 % of its mean over time, as the first 16 coefficients of the orthonormal
    DCT-II over time; mean over the views.

    Args:
        clips (Tensor): Skeletons of shape (N, clips, M, T, V, C).

    Returns:
        Tensor: (N, M · min(16, T) · V · C).
    """
    return _in_parts(clips, 16, lambda x: x - MEAN_SHARE * x.mean(dim=3, keepdim=True))


def joint_distances(clips: Tensor) -> Tensor:
    """How far the joints of a person are from each other, which no turn of the camera changes.

    The distances of all pairs of joints in every frame, as the first 8 coefficients of the
    orthonormal DCT-II over time; mean over the views.

    Args:
        clips (Tensor): Skeletons of shape (N, clips, M, T, V, C).

    Returns:
        Tensor: (N, M · min(8, T) · V(V − 1)/2).
    """
    first, second = torch.triu_indices(clips.shape[4], clips.shape[4], 1, device=clips.device)

    def distances(x: Tensor) -> Tensor:
        way = x[:, :, :, :, first] - x[:, :, :, :, second]
        return torch.linalg.vector_norm(way, dim=5, keepdim=True)  # (N, clips, M, T, pairs, 1)

    return _in_parts(clips, 8, distances)


def _in_parts(clips: Tensor, coefficients: int, measure: Callable[[Tensor], Tensor]) -> Tensor:
    if clips.dim() != 6:
        raise ValueError(
            f'Clips must have the shape (N, clips, M, T, V, C), got {tuple(clips.shape)}.'
        )
    basis = cosine_basis(clips.shape[3], coefficients).to(clips)
    # an exported graph does not know how many clips there will be
    parts = [clips] if torch.compiler.is_compiling() else clips.split(_CLIPS)
    waves = [
        torch.einsum('kt,ncmtvd->nmkvd', basis, measure(part)) / clips.shape[1] for part in parts
    ]
    return torch.cat(waves).flatten(1)


def cosine_basis(frames: int, coefficients: int) -> Tensor:
    """The first waves of the orthonormal DCT-II over so many frames, (coefficients, T) float64."""
    from scipy.fft import dct

    return torch.from_numpy(dct(np.eye(frames), axis=0, norm='ortho')[:coefficients])
