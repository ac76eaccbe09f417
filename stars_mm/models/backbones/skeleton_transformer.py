import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor, nn

from stars_mm.models.utils.freezing import freeze
from stars_mm.models.utils.masking import patchify
from stars_mm.models.utils.transformer import TransformerBlock, init_transformer_weights


class SkeletonPatchEmbed(nn.Module):
    """Linear projection of patches of ``patch_size`` (frames, joints).

    The weights are those of a convolution whose kernel equals its stride, so
    that published weights fit, but only the patches asked for are projected.
    """

    def __init__(self, in_channels: int, embed_dims: int, patch_size: tuple[int, int]) -> None:
        super().__init__()
        self.projection = nn.Conv2d(in_channels, embed_dims, patch_size, stride=patch_size)

    def forward(self, patches: Tensor) -> Tensor:
        """Project patches of shape (…, P) to tokens of shape (…, C)."""
        weight = self.projection.weight.permute(0, 2, 3, 1).flatten(1)
        return nn.functional.linear(patches, weight, self.projection.bias)


@MODELS.register_module()
class SkeletonTransformer(BaseModule):
    """The encoder of MAMP and STARS: a plain transformer over skeleton
    patches, each person on its own (arXiv 2407.10935, section 3.1).

    Args:
        in_channels (int): Channels C of a joint.
        embed_dims (int): Channels of a token.
        depth (int): Number of transformer blocks.
        num_heads (int): Attention heads of a block.
        mlp_ratio (float): Hidden channels of a block's MLP over ``embed_dims``.
        num_frames (int): Frames T of a clip; a multiple of ``tubelet_size``.
        num_joints (int): Joints V; a multiple of ``joint_patch_size``.
        tubelet_size (int): Frames in a token.
        joint_patch_size (int): Joints in a token.
        qkv_bias (bool): Whether query, key and value have a bias.
        drop_rate (float): Dropout in the blocks.
        attn_drop_rate (float): Dropout of the attention weights.
        drop_path_rate (float): Stochastic depth of the last block; it grows
            linearly from 0 at the first.
        frozen_stages (int): The embeddings and this many blocks are neither
            trained nor differentiated, at ``depth`` the final norm too; -1
            freezes nothing, 0 the embeddings alone.
        gate_scale (float, optional): Multiplies every token's projection by a learned vector of
            its place, ±``gate_scale`` at first, so that the mean over tokens tells which joint
            moved and when (ours). None has no such vectors, as the paper.
        mean_share (float): Share of each joint's mean over time that is taken off its coordinates,
            for a clip is told by how joints move more than by where they are (ours).
        residual_scale (float): Factor of the last layers of attention and MLP at the start; small
            ones let a token begin as its embedding.
        init_cfg (dict, optional): mmengine's initialisation, such as
            ``dict(type='Pretrained', checkpoint=…, prefix='backbone.')``.
    """

    def __init__(
        self,
        in_channels: int = 3,
        embed_dims: int = 256,
        depth: int = 8,
        num_heads: int = 8,
        mlp_ratio: float = 4,
        num_frames: int = 120,
        num_joints: int = 25,
        tubelet_size: int = 4,
        joint_patch_size: int = 1,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        frozen_stages: int = -1,
        gate_scale: float | None = None,
        mean_share: float = 0.0,
        residual_scale: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        parts = dict(
            num_frames=(num_frames, tubelet_size), num_joints=(num_joints, joint_patch_size)
        )
        for axis, (whole, part) in parts.items():
            if whole < part or whole % part:
                raise ValueError(
                    f'{axis}={whole} must be a positive multiple of the patch '
                    f'size {part} (tubelet_size={tubelet_size} frames, '
                    f'joint_patch_size={joint_patch_size} joints).'
                )
        if not -1 <= frozen_stages <= depth:
            raise ValueError(
                f'frozen_stages={frozen_stages} must lie between -1 and depth={depth}.'
            )
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f'drop_path_rate={drop_path_rate} must lie from 0 to below 1.')
        self.in_channels = in_channels
        self.embed_dims = embed_dims
        self.depth = depth
        self.num_frames = num_frames
        self.num_joints = num_joints
        self.tubelet_size = tubelet_size
        self.joint_patch_size = joint_patch_size
        self.grid_size = (num_frames // tubelet_size, num_joints // joint_patch_size)  # (T′, V′)
        self.drop_rates = (drop_rate, attn_drop_rate, drop_path_rate)

        Tp, Vp = self.grid_size
        self.patch_embed = SkeletonPatchEmbed(
            in_channels, embed_dims, (tubelet_size, joint_patch_size)
        )
        self.temporal_embed = nn.Parameter(torch.zeros(1, Tp, 1, embed_dims))
        self.joint_embed = nn.Parameter(torch.zeros(1, 1, Vp, embed_dims))
        block = (embed_dims, num_heads, mlp_ratio, qkv_bias, drop_rate, attn_drop_rate)
        drop_paths = torch.linspace(0, drop_path_rate, depth).tolist()
        self.blocks = nn.ModuleList(TransformerBlock(*block, drop) for drop in drop_paths)
        self.norm = nn.LayerNorm(embed_dims)

        self.apply(init_transformer_weights)
        trunc_normal_(self.temporal_embed, std=0.02)
        trunc_normal_(self.joint_embed, std=0.02)
        for block in self.blocks:
            block.attn.proj.weight.data.mul_(residual_scale)
            block.mlp.fc2.weight.data.mul_(residual_scale)
        self.mean_share = mean_share
        self.gated = gate_scale is not None
        if self.gated:
            self.temporal_gate = nn.Parameter(gate_scale * random_signs(self.temporal_embed.shape))
            self.joint_gate = nn.Parameter(random_signs(self.joint_embed.shape))
        last_frozen = depth + 1 if frozen_stages == depth else frozen_stages
        freeze(self, lambda name: self.get_layer_depth(name)[0] <= last_frozen)

    def forward(self, x: Tensor) -> Tensor:
        """Encode every person of every sample.

        A person slot that is empty, or repeats the first person, gives the
        same tokens whoever it belongs to, and is encoded once.

        Args:
            x (Tensor): Skeletons of shape (N, M, T, V, C), metres.

        Returns:
            Tensor: Feature map of shape (N, M, embed_dims, T′, V′).
        """
        if x.dim() != 5:
            raise ValueError(
                f'SkeletonTransformer takes (N, M, T, V, C), got an input of {tuple(x.shape)}.'
            )
        N, M = x.shape[:2]
        persons = x.flatten(0, 1)  # (N·M, T, V, C)
        if self.training and any(self.drop_rates):  # equal inputs then differ
            tokens = self.encode(persons)
        else:
            slots, inverse = person_sources(x).unique(return_inverse=True)
            tokens = self.encode(persons[slots])[inverse]  # (N·M, L, C)
        Tp, Vp = self.grid_size
        return tokens.reshape(N, M, Tp, Vp, -1).permute(0, 1, 4, 2, 3)

    def encode(self, x: Tensor, ids_keep: Tensor | None = None) -> Tensor:
        """Encode single persons, or the kept tokens of them.

        Args:
            x (Tensor): Skeletons of shape (B, T, V, C), B = N·M.
            ids_keep (Tensor, optional): Indices (B, K) of the tokens to encode, all L = T′·V′ of
                them by default. Token t′·V′ + v′ stands for tubelet t′ and joint patch v′.

        Returns:
            Tensor: Tokens of shape (B, K or L, embed_dims).

        Raises:
            ValueError: If frames, joints or channels differ from what the model was built for.
        """
        expected = (self.num_frames, self.num_joints, self.in_channels)
        if x.shape[1:] != expected:
            raise ValueError(
                f'SkeletonTransformer was built for (frames, joints, channels) = {expected} and '
                f'got {tuple(x.shape[1:])}. Set num_frames, num_joints and in_channels of the '
                'backbone, and clip_len of the pipeline, to what the data holds.'
            )
        if self.mean_share:
            x = x - self.mean_share * x.mean(dim=1, keepdim=True)
        patches = patchify(x, self.tubelet_size, self.joint_patch_size).flatten(1, 2)  # (B, L, P)
        position = (self.temporal_embed + self.joint_embed).flatten(1, 2)
        gate = (self.temporal_gate * self.joint_gate).flatten(1, 2) if self.gated else None
        if ids_keep is not None:
            rows = torch.arange(len(x), device=x.device)[:, None]
            patches = patches[rows, ids_keep]  # (B, K, P)
            position = position[0, ids_keep]  # (B, K, C)
            gate = None if gate is None else gate[0, ids_keep]
        tokens = self.patch_embed(patches)
        tokens = (tokens if gate is None else tokens * gate) + position
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Layer of a parameter, for layer-wise learning rates.

        Args:
            param_name (str): Name of the parameter.
            prefix (str): What stands before this module's own names, such as ``'backbone.'``.

        Returns:
            tuple[int, int]: The layer (embeddings 0, block i → i + 1, final
            norm and all else depth + 1) and the number of layers, depth + 2.
        """
        num_layers = self.depth + 2
        name = param_name[len(prefix) :]
        if not param_name.startswith(prefix):
            return num_layers - 1, num_layers
        if name.startswith(('patch_embed', 'temporal_', 'joint_')):
            return 0, num_layers
        if name.startswith('blocks.'):
            return int(name.split('.')[1]) + 1, num_layers
        return num_layers - 1, num_layers


def random_signs(shape: torch.Size) -> Tensor:
    """±1, as likely the one as the other."""
    return torch.randint(0, 2, shape).float() * 2 - 1


@torch.no_grad()
def person_sources(x: Tensor) -> Tensor:
    """Find for each person slot of skeletons (N, M, T, V, C) one that surely gives the same tokens.

    Indices (N·M, ): of an empty one the first empty one, of one that repeats
    its sample's first person that one's, of any other its own.
    """
    N, M = x.shape[:2]
    slots = torch.arange(N * M, device=x.device).reshape(N, M)
    repeated = (x == x[:, :1]).flatten(2).all(dim=2)  # (N, M)
    source = torch.where(repeated, slots[:, :1], slots).flatten()
    empty = (x == 0).flatten(2).all(dim=2).flatten()  # (N·M, )
    first_empty = empty.int().argmax()  # of no account where none is empty
    return torch.where(empty, first_empty, source)
