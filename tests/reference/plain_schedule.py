"""The plain schedule: the same mathematics with the same weights, with no work spared.

Softmax attention is written out, all tokens are embedded and predicted, every slot for a person is
encoded, present or not, and every view, and gradients are computed of frozen layers too. Speed is
measured against it, and what spares work is tested to give its results.
"""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_mm.datasets.transforms.random_rot import rotation_matrix
from stars_mm.datasets.transforms.temporal_crop_resize import random_crop
from stars_mm.models.algorithms import MAMP, STARS
from stars_mm.models.backbones import SkeletonTransformer
from stars_mm.models.utils.transformer import SelfAttention, TransformerBlock


def thawed(model: nn.Module) -> nn.Module:
    """A copy of a model, every parameter of which is differentiated."""
    return copy.deepcopy(model).requires_grad_(True)


def project(layer: nn.Linear, x: Tensor) -> Tensor:
    """A linear layer as torch computes it: (…, C_in) → (…, C_out)."""
    return F.linear(x, layer.weight, layer.bias)


def attend(attention: SelfAttention, x: Tensor) -> Tensor:
    """Self-attention with its matrix written out: (B, L, C) → (B, L, C)."""
    B, L, C = x.shape
    heads = attention.num_heads
    qkv = project(attention.qkv, x).reshape(B, L, 3, heads, C // heads)
    query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, L, dims)
    weights = query @ key.transpose(-2, -1) * (C // heads) ** -0.5
    x = weights.softmax(dim=-1) @ value
    return project(attention.proj, x.transpose(1, 2).reshape(B, L, C))


def run_block(block: TransformerBlock, x: Tensor) -> Tensor:
    """One pre-norm block, without dropout: (B, L, C) → (B, L, C)."""
    x = x + attend(block.attn, block.norm1(x))
    hidden = F.gelu(project(block.mlp.fc1, block.norm2(x)))
    return x + project(block.mlp.fc2, hidden)


def encode(backbone: SkeletonTransformer, x: Tensor, ids_keep: Tensor | None = None) -> Tensor:
    """Encode persons, all tokens of which are embedded first.

    Args:
        backbone (SkeletonTransformer): The encoder.
        x (Tensor): Skeletons of shape (B, T, V, C).
        ids_keep (Tensor, optional): Tokens to keep, (B, K).

    Returns:
        Tensor: Tokens of shape (B, K or L, embed_dims).
    """
    tokens = backbone.patch_embed.projection(x.permute(0, 3, 1, 2))
    tokens = tokens.permute(0, 2, 3, 1)  # (B, T′, V′, C)
    tokens = tokens + backbone.temporal_embed + backbone.joint_embed
    tokens = tokens.flatten(1, 2)
    if ids_keep is not None:
        index = ids_keep[..., None].expand(-1, -1, tokens.shape[2])
        tokens = tokens.gather(1, index)
    for block in backbone.blocks:
        tokens = run_block(block, tokens)
    return backbone.norm(tokens)


def mamp_loss(model: MAMP, inputs: Tensor, noise: Tensor | None = None) -> Tensor:
    """Loss of stage 1, all tokens of all slots decoded and predicted.

    Args:
        model (MAMP): The model; its ``skip_absent`` is not heeded.
        inputs (Tensor): Clips of shape (N, clips, M, T, V, C).
        noise (Tensor, optional): Uniform draw (N·clips·M, L).

    Returns:
        Tensor: The scalar loss.
    """
    x = inputs.flatten(0, 2)  # (B, T, V, C)
    ids_keep, ids_restore, mask = model.mask(x, noise)
    decoder = model.neck
    kept = decoder.embed(encode(model.backbone, x, ids_keep))
    B, K, C = kept.shape
    hidden = decoder.mask_token.expand(B, ids_restore.shape[1] - K, -1)
    tokens = torch.cat((kept, hidden), dim=1)
    tokens = tokens.gather(1, ids_restore[..., None].expand(-1, -1, C))
    tokens = tokens + (decoder.temporal_embed + decoder.joint_embed).flatten(1, 2)
    for block in decoder.blocks:
        tokens = run_block(block, tokens)
    pred = decoder.pred(decoder.norm(tokens))  # (B, L, P)
    error = (pred - model.head.target(x)).square().mean(dim=-1)
    return (error * mask).sum() / mask.sum()


def features(backbone: SkeletonTransformer, inputs: Tensor) -> Tensor:
    """Sequence feature of every clip, every slot encoded.

    Args:
        backbone (SkeletonTransformer): The encoder.
        inputs (Tensor): Clips of shape (N, clips, M, T, V, C).

    Returns:
        Tensor: Features of shape (N, clips, C′).
    """
    tokens = encode(backbone, inputs.flatten(0, 2))
    return tokens.unflatten(0, inputs.shape[:3]).mean(dim=(2, 3))


def stars_loss(model: STARS, inputs: Tensor, sample_idx: Tensor) -> dict[str, Tensor]:
    """Loss of stage 2, every view encoded.

    Args:
        model (STARS): The model, :func:`thawed`.
        inputs (Tensor): Clips of shape (N, clips, M, T, V, C).
        sample_idx (Tensor): Index of each sample, (N, ).

    Returns:
        dict[str, Tensor]: The losses of the head.
    """
    views: list[Tensor] = [
        features(model.backbone, inputs[:, v : v + 1]).squeeze(1) for v in range(inputs.shape[1])
    ]
    return model.head.loss(views, sample_idx)


def make_clip(
    keypoint: np.ndarray,
    center_joint: int = 1,
    clip_len: int = 120,
    p_interval: tuple[float, float] = (0.5, 1.0),
    min_frames: int = 64,
    theta: float = 0.3,
    num_person: int = 2,
) -> Tensor:
    """Stage 1's pipeline: pad the persons, centre, crop, resize, rotate.

    Args:
        keypoint (np.ndarray): A clip of shape (M, T, V, 3), metres.
        center_joint (int): Joint of the first person that is the origin.
        clip_len (int): Frames to make.
        p_interval (tuple[float, float]): Least and largest part to keep.
        min_frames (int): The least number of frames to keep.
        theta (float): Largest angle, radians.
        num_person (int): Slots for persons.

    Returns:
        Tensor: The clip, (1, num_person, clip_len, V, 3).
    """
    M, T, V, C = keypoint.shape
    padded = torch.zeros(num_person, T, V, C)
    padded[:M] = torch.from_numpy(keypoint)
    present = (padded != 0).any(dim=-1).any(dim=-1)  # (M, T)
    first = int(present[0].int().argmax())
    x = padded - padded[0, first, center_joint]
    x = torch.where(present[..., None, None], x, padded)

    begin, length = random_crop(T, p_interval, min_frames)
    x = x[:, begin : begin + length].permute(0, 2, 3, 1).flatten(0, 1)
    x = F.interpolate(x, clip_len, mode='linear', align_corners=False)
    x = x.unflatten(0, (num_person, V)).permute(0, 3, 1, 2)  # (M, T, V, C)

    rotation = rotation_matrix(np.random.uniform(-theta, theta, 3))
    return (x @ torch.from_numpy(rotation).t())[None]
