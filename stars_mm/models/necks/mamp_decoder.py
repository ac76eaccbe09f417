import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor, nn

from stars_mm.models.utils.transformer import TransformerBlock, init_transformer_weights


@MODELS.register_module()
class MAMPDecoder(BaseModule):
    """The decoder of MAMP: predicts the hidden patches from the kept tokens
    (arXiv 2308.07092, section 3.2).

    Args:
        in_channels (int): Channels of the encoder's tokens.
        embed_dims (int): Channels of the decoder's tokens.
        depth (int): Number of transformer blocks.
        num_heads (int): Attention heads of a block.
        mlp_ratio (float): Hidden channels of a block's MLP over ``embed_dims``.
        out_channels (int): Channels C of the data.
        num_frames (int): Frames T of a clip.
        num_joints (int): Joints V.
        tubelet_size (int): Frames in a token.
        joint_patch_size (int): Joints in a token.
    """

    block: type[nn.Module] = TransformerBlock

    def __init__(
        self,
        in_channels: int = 256,
        embed_dims: int = 256,
        depth: int = 5,
        num_heads: int = 8,
        mlp_ratio: float = 4,
        out_channels: int = 3,
        num_frames: int = 120,
        num_joints: int = 25,
        tubelet_size: int = 4,
        joint_patch_size: int = 1,
    ) -> None:
        super().__init__()
        Tp, Vp = num_frames // tubelet_size, num_joints // joint_patch_size
        self.embed = nn.Linear(in_channels, embed_dims)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.temporal_embed = nn.Parameter(torch.zeros(1, Tp, 1, embed_dims))
        self.joint_embed = nn.Parameter(torch.zeros(1, 1, Vp, embed_dims))
        self.blocks = nn.ModuleList(
            self.block(embed_dims, num_heads, mlp_ratio) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.pred = nn.Linear(embed_dims, tubelet_size * joint_patch_size * out_channels)

        self.apply(init_transformer_weights)
        for embed in (self.mask_token, self.temporal_embed, self.joint_embed):
            trunc_normal_(embed, std=0.02)

    def forward(self, tokens: Tensor, ids_restore: Tensor) -> Tensor:
        """Predict every patch of the sequences.

        Args:
            tokens (Tensor): Encoded kept tokens, (B, K, C).
            ids_restore (Tensor): Order (B, L) that brings [kept, hidden]
                tokens back to their places.

        Returns:
            Tensor: Predicted patches of shape (B, L, P), P = tubelet_size ·
            joint_patch_size · out_channels.
        """
        x = self._embed_all(tokens, ids_restore.argsort(dim=1))
        for block in self.blocks:
            x = block(x)
        pred = self.pred(self.norm(x))  # (B, L, P), the kept ones first
        rows = torch.arange(len(pred), device=pred.device)[:, None]
        return pred[rows, ids_restore]

    def draw_predicted(self, ids_hidden: Tensor) -> Tensor:
        """Which of the hidden tokens (B, L − K) a training step predicts: all of them."""
        return ids_hidden

    def predict_hidden(self, tokens: Tensor, ids_keep: Tensor, ids_hidden: Tensor) -> Tensor:
        """Predict the hidden patches alone, as the loss needs no others.

        The kept tokens go through all blocks but the last, in which the
        hidden ones only look at them.

        Args:
            tokens (Tensor): Encoded kept tokens, (B, K, C).
            ids_keep (Tensor): Their places in the sequence, (B, K).
            ids_hidden (Tensor): The places of the hidden ones, (B, L − K).

        Returns:
            Tensor: Predicted patches of shape (B, L − K, P), in the order of ``ids_hidden``.
        """
        x = self._embed_all(tokens, torch.cat((ids_keep, ids_hidden), dim=1))
        K, last = ids_keep.shape[1], len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            x = block(x, start=K if i == last else 0)
        if last < 0:
            x = x[:, K:]
        return self.pred(self.norm(x))

    def _embed_all(self, tokens: Tensor, order: Tensor) -> Tensor:
        """Embed kept tokens, then hidden ones; ``order`` (B, L) holds the places of both."""
        kept = self.embed(tokens)
        B, K, _ = kept.shape
        hidden = self.mask_token.to(kept.dtype).expand(B, order.shape[1] - K, -1)
        position = (self.temporal_embed + self.joint_embed).flatten(0, 2)
        return torch.cat((kept, hidden), dim=1) + position[order]
