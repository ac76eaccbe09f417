"""Patches of skeletons, and which of them are hidden."""

import torch
from torch import Tensor

EPS = 1e-10  # the reference's guard inside its logarithms and its division


def patchify(x: Tensor, tubelet_size: int, joint_patch_size: int) -> Tensor:
    """Cut skeleton sequences into patches of frames × joints.

    Args:
        x (Tensor): Sequences of shape (B, T, V, C).
        tubelet_size (int): Frames in a patch; divides T.
        joint_patch_size (int): Joints in a patch; divides V.

    Returns:
        Tensor: Patches of shape (B, T′, V′, P) with T′ = T / tubelet_size,
        V′ = V / joint_patch_size and P = tubelet_size · joint_patch_size · C,
        the values of a patch in the order (frame, joint, channel).

    Raises:
        ValueError: If the patches do not fill the sequence.
    """
    B, T, V, C = x.shape
    t, v = tubelet_size, joint_patch_size
    if T % t or V % v:
        raise ValueError(
            f'A clip of {T} frames and {V} joints cannot be cut into patches '
            f'of tubelet_size={t} frames and joint_patch_size={v} joints.'
        )
    x = x.reshape(B, T // t, t, V // v, v, C).transpose(2, 3)
    return x.reshape(B, T // t, V // v, t * v * C)


def unpatchify(patches: Tensor, tubelet_size: int, joint_patch_size: int) -> Tensor:
    """Put patches back together, (B, T′, V′, P) → (B, T, V, C): the inverse of :func:`patchify`."""
    B, Tp, Vp, P = patches.shape
    t, v = tubelet_size, joint_patch_size
    x = patches.reshape(B, Tp, Vp, t, v, P // (t * v)).transpose(2, 3)
    return x.reshape(B, Tp * t, Vp * v, P // (t * v))


def num_kept_tokens(num_tokens: int, mask_ratio: float) -> int:
    """Number K of tokens that the encoder sees out of L = ``num_tokens``.

    Raises:
        ValueError: If the ratio would leave no token, or hide none.
    """
    kept = int(num_tokens * (1 - mask_ratio))
    if not 0 < kept < num_tokens:
        raise ValueError(
            f'mask_ratio={mask_ratio} keeps {kept} of {num_tokens} tokens; at least one must be '
            'kept and one hidden. Change mask_ratio or the number of frames.'
        )
    return kept


def mask_from_scores(scores: Tensor, mask_ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    """Keep the tokens with the lowest scores (B, L).

    Returns:
        tuple[Tensor, Tensor, Tensor]: ``ids_keep`` (B, K), the tokens that stay, lowest score
        first; ``ids_restore`` (B, L), which brings the sequence [kept, hidden] back into the
        original order; and ``mask`` (B, L), 1 where a token is hidden and 0 where it is kept.
    """
    num_keep = num_kept_tokens(scores.shape[1], mask_ratio)
    ids_shuffle = scores.argsort(dim=1, stable=True)
    ids_restore = ids_shuffle.argsort(dim=1)
    mask = (ids_restore >= num_keep).float()
    return ids_shuffle[:, :num_keep], ids_restore, mask


def random_masking(
    patches: Tensor, mask_ratio: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Hide tokens uniformly at random, as a plain masked autoencoder does.

    Args:
        patches (Tensor): Patches of shape (B, T′, V′, P); only the shape of the token grid counts.
        mask_ratio (float): Share of the tokens to hide.
        noise (Tensor): Uniform draw from [0, 1) of shape (B, L).

    Returns:
        tuple[Tensor, Tensor, Tensor]: Those of :func:`mask_from_scores`.
    """
    _check_noise(patches, noise)
    return mask_from_scores(noise, mask_ratio)


def motion_aware_masking(
    patches: Tensor, mask_ratio: float, tau: float, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Hide moving parts more often than still ones (MAMP, section 3.3).

    The tokens to hide are drawn without replacement with probabilities
    softmax(motion / (max motion · τ)), by the Gumbel top-k trick.

    Args:
        patches (Tensor): Patches of shape (B, T′, V′, P).
        mask_ratio (float): Share of the tokens to hide.
        tau (float): Temperature τ of the softmax over a sequence's tokens.
        noise (Tensor): Uniform draw from [0, 1) of shape (B, L).

    Returns:
        tuple[Tensor, Tensor, Tensor]: Those of :func:`mask_from_scores`.
    """
    _check_noise(patches, noise)
    motion = torch.zeros_like(patches[..., 0])  # (B, T′, V′)
    motion[:, 1:] = (patches[:, 1:] - patches[:, :-1]).abs().mean(dim=-1)
    if patches.shape[1] > 1:  # nothing precedes the first tokens
        motion[:, 0] = motion[:, 1]
    motion = motion.flatten(1)  # (B, L)
    peak = motion.amax(dim=1, keepdim=True)
    log_prob = (motion / (peak * tau + EPS)).log_softmax(dim=1)
    gumbel = -torch.log(-torch.log(noise + EPS) + EPS)
    return mask_from_scores(log_prob + gumbel, mask_ratio)


def _check_noise(patches: Tensor, noise: Tensor) -> None:
    B, Tp, Vp, _ = patches.shape
    if noise.shape != (B, Tp * Vp):
        raise ValueError(
            f'noise must be of shape (B, L) = ({B}, {Tp * Vp}), got {tuple(noise.shape)}.'
        )
