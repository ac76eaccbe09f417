from typing import Any

import torch
from mmaction.registry import MODELS
from torch import Tensor

from stars_mm.models.necks.mamp_decoder import MAMPDecoder
from stars_mm.models.utils.transformer import CrossBlock


@MODELS.register_module()
class MAMPCrossDecoder(MAMPDecoder):
    """A cheap decoder for MAMP: a drawn part of the hidden patches is predicted, each on its own,
    by cross-attention to the kept tokens (CrossMAE, arXiv 2401.14391, section 3).

    CrossMAE counts the part in all tokens, here it is one of the hidden tokens.

    Args:
        *args: Those of :class:`MAMPDecoder`.
        predict_ratio (float): Share of the hidden tokens that a training step predicts.
        **kwargs: Those of :class:`MAMPDecoder`.
    """

    block = CrossBlock

    def __init__(self, *args: Any, predict_ratio: float = 0.25, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not 0 < predict_ratio <= 1:
            raise ValueError(
                f'predict_ratio={predict_ratio} must lie above 0 and be at most 1, which predicts '
                'all hidden tokens.'
            )
        self.predict_ratio = predict_ratio

    def forward(self, tokens: Tensor, ids_restore: Tensor) -> Tensor:
        """Predict every patch, also the kept ones, of which a query has the position alone; see
        :meth:`MAMPDecoder.forward`."""
        ids_keep = ids_restore.argsort(dim=1)[:, : tokens.shape[1]]
        every = torch.arange(ids_restore.shape[1], device=ids_restore.device)
        return self.predict_hidden(tokens, ids_keep, every.expand_as(ids_restore))

    def draw_predicted(self, ids_hidden: Tensor) -> Tensor:
        """Draw from torch's generator, sequence by sequence, which of the hidden tokens (B, L − K)
        a training step predicts: their places (B, H), H = predict_ratio · (L − K), rounded, at
        least one."""
        number = max(1, round(self.predict_ratio * ids_hidden.shape[1]))
        noise = torch.rand(ids_hidden.shape, device=ids_hidden.device)
        return ids_hidden.gather(1, noise.argsort(dim=1)[:, :number])

    def predict_hidden(self, tokens: Tensor, ids_keep: Tensor, ids_hidden: Tensor) -> Tensor:
        """Predict patches at any places ``ids_hidden`` (B, H) from the kept tokens (B, K, C) at
        ``ids_keep`` (B, K): (B, H, P)."""
        position = (self.temporal_embed + self.joint_embed).flatten(0, 2)  # (L, embed_dims)
        context = self.embed(tokens) + position[ids_keep]
        x = self.mask_token + position[ids_hidden]
        for block in self.blocks:
            x = block(x, context)
        return self.pred(self.norm(x))
