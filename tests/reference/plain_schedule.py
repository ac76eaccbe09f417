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
    """Encodes persons (B, T, V, C), all tokens of which are embedded first: (B, K or L, C′)."""
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
    """Loss of stage 1 of clips (N, clips, M, T, V, C): all tokens of all slots are predicted."""
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
    """Features (N, clips, C′) of clips (N, clips, M, T, V, C), every slot encoded."""
    tokens = encode(backbone, inputs.flatten(0, 2))
    return tokens.unflatten(0, inputs.shape[:3]).mean(dim=(2, 3))


def stars_loss(model: STARS, inputs: Tensor, sample_idx: Tensor) -> dict[str, Tensor]:
    """Losses of stage 2 of a :func:`thawed` model, every view of (N, clips, …) encoded."""
    views = [features(model.backbone, view).squeeze(1) for view in inputs.split(1, dim=1)]
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
    """Stage 1's pipeline: pad the persons, center, crop, resize, rotate."""
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
