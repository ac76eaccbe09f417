from typing import Any

import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head self-attention by PyTorch's fused kernel, with dropout of the attention weights
    (``attn_drop``) and of the output (``proj_drop``)."""

    def __init__(
        self,
        dims: int,
        num_heads: int,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        _check_heads(dims, num_heads)
        self.num_heads = num_heads
        self.qkv = nn.Linear(dims, 3 * dims, bias=qkv_bias)
        self.proj = nn.Linear(dims, dims)
        self.attn_drop = attn_drop
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Attend over tokens, (B, L, C) → (B, L − start, C): those before ``start`` are attended
        to, but do not attend themselves."""
        query, key, value = self._project(x, start)  # (B, heads, …, dims)
        x = F.scaled_dot_product_attention(
            query, key, value, dropout_p=self.attn_drop * self.training
        )
        x = x.transpose(1, 2).flatten(2)  # (B, L − start, C)
        return self.proj_drop(self.proj(x))

    def _project(self, x: Tensor, start: int) -> tuple[Tensor, ...]:
        if start == 0:
            parts = self.qkv(x).chunk(3, dim=-1)
        else:
            C, weight, bias = x.shape[-1], self.qkv.weight, self.qkv.bias
            q_bias, kv_bias = (None, None) if bias is None else (bias[:C], bias[C:])
            query = F.linear(x[:, start:], weight[:C], q_bias)
            parts = (query, *F.linear(x, weight[C:], kv_bias).chunk(2, dim=-1))
        return tuple(_split_heads(part, self.num_heads) for part in parts)


class CrossAttention(nn.Module):
    """Multi-head attention of tokens to others, by PyTorch's fused kernel."""

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        _check_heads(dims, num_heads)
        self.num_heads = num_heads
        self.q = nn.Linear(dims, dims)
        self.kv = nn.Linear(dims, 2 * dims)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Attend to tokens ``context`` (B, K, C) alone: (B, L, C) → (B, L, C)."""
        parts = (self.q(x), *self.kv(context).chunk(2, dim=-1))
        x = F.scaled_dot_product_attention(*(_split_heads(part, self.num_heads) for part in parts))
        return self.proj(x.transpose(1, 2).flatten(2))


def _check_heads(dims: int, num_heads: int) -> None:
    if dims % num_heads:
        raise ValueError(f'embed_dims={dims} is not a multiple of num_heads={num_heads}.')


def _split_heads(x: Tensor, num_heads: int) -> Tensor:
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)  # (B, heads, L, dims)


class MLP(nn.Module):
    """Two linear layers with a GELU between them, and dropout after each."""

    def __init__(self, dims: int, hidden_dims: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dims, hidden_dims)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dims, dims)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Transform every token: (B, L, C) → (B, L, C)."""
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class TransformerBlock(nn.Module):
    """Pre-norm transformer block.

    Args:
        dims (int): Channels of a token.
        num_heads (int): Number of attention heads.
        mlp_ratio (float): Hidden channels of the MLP over ``dims``.
        qkv_bias (bool): Whether query, key and value have a bias.
        drop (float): Dropout of the two branches' outputs.
        attn_drop (float): Dropout of the attention weights.
        drop_path (float): Probability that a sample skips a branch.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop: float = 0.0,
        attn_drop: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims)
        self.attn = SelfAttention(dims, num_heads, qkv_bias, attn_drop, drop)
        self.norm2 = nn.LayerNorm(dims)
        self.mlp = MLP(dims, int(dims * mlp_ratio), drop)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Transform tokens, (B, L, C) → (B, L − start, C): those before ``start`` are attended to,
        but not transformed, as in a last block, where nobody looks at them."""
        x = x[:, start:] + self.drop_path(self.attn(self.norm1(x), start))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class CrossBlock(nn.Module):
    """Pre-norm block of tokens that look at others and not at each other, as in CrossMAE's decoder
    (arXiv 2401.14391).

    Args:
        dims (int): Channels of a token.
        num_heads (int): Number of attention heads.
        mlp_ratio (float): Hidden channels of the MLP over ``dims``.
    """

    def __init__(self, dims: int, num_heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims)
        self.norm_context = nn.LayerNorm(dims)
        self.cross_attn = CrossAttention(dims, num_heads)
        self.norm2 = nn.LayerNorm(dims)
        self.mlp = MLP(dims, int(dims * mlp_ratio))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Transform tokens (B, L, C) by what they see in ``context`` (B, K, C)."""
        x = x + self.cross_attn(self.norm1(x), self.norm_context(context))
        return x + self.mlp(self.norm2(x))


def compile_blocks(model: nn.Module, **options: Any) -> int:
    """Compile the transformer blocks of a model in place, with the options of ``torch.compile``;
    returns how many there are.

    Block by block, all of them share what is compiled once; names of
    parameters, checkpoints and hooks stay as they are.
    """
    blocks = [m for m in model.modules() if isinstance(m, (TransformerBlock, CrossBlock))]
    for block in blocks:
        block.compile(**options)
    return len(blocks)


def init_transformer_weights(module: nn.Module) -> None:
    """Initialise a layer as the reference does: Xavier-uniform linear layers
    with zero bias, unit LayerNorms; for ``nn.Module.apply``."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
