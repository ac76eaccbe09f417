from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from stars_mm.models.algorithms.base import MaskedMotionSSL


@MODELS.register_module()
class InputMaskedMAMP(MaskedMotionSSL):
    """Masked motion prediction for backbones that cannot leave tokens out,
    such as graph networks: hidden patches are overwritten at the input.

    A hidden patch is filled with a learned value a channel. Everything else is
    as in :class:`MAMP`: which patches are hidden, the target and the loss.

    Args:
        backbone (dict): Encoder that maps (N, M, T, V, C) to (N, M, C′, T′, V′).
        neck (dict): :class:`FramePredictor`, or what else maps
            (B, C′, T′, V′) to (B, T, V, C) and knows its ``out_channels`` C.
        head (dict): :class:`MAMPHead`.
        **kwargs: Those of :class:`MaskedMotionSSL`.
    """

    def __init__(self, backbone: dict, neck: dict, head: dict, **kwargs: Any) -> None:
        super().__init__(backbone, neck, head, **kwargs)
        if not hasattr(self.neck, 'out_channels'):
            raise TypeError(
                'InputMaskedMAMP needs a neck that predicts from a feature map, as FramePredictor '
                f'does; {type(self.neck).__name__} predicts what an encoder was not shown: it is '
                'for MAMP.'
            )
        self.mask_value = nn.Parameter(torch.zeros(self.neck.out_channels))

    def loss(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        noise: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Predict the motion of hidden patches; see :meth:`MAMP.loss`."""
        self._check_clips(inputs)
        x = inputs.flatten(0, 2)  # (B, T, V, C), B = N·clips·M
        mask = self.mask(x, noise)[2]
        seen = self.hide(x, mask).unflatten(0, (-1, inputs.shape[2]))
        pred = self.predict_patches(seen)
        return self.head.loss(pred, x, mask)

    def hide(self, x: Tensor, mask: Tensor) -> Tensor:
        """Fill the hidden patches (B, L) of skeletons (B, T, V, C)."""
        t, v = self.head.tubelet_size, self.head.joint_patch_size
        hidden = mask.reshape(len(x), x.shape[1] // t, x.shape[2] // v)
        hidden = hidden.repeat_interleave(t, 1).repeat_interleave(v, 2)
        return torch.where(hidden[..., None] > 0, self.mask_value.to(x), x)

    def predict_patches(self, seen: Tensor) -> Tensor:
        """Predict every patch (N·M, L, P) of clips (N, M, T, V, C) with hidden ones.

        Raises:
            ValueError: If the neck's frames and joints are not the input's.
        """
        feats = self.backbone(seen)  # (N, M, C′, T′, V′)
        pred = self.neck(feats.flatten(0, 1))  # (N·M, T, V, C)
        if pred.shape[1:] != seen.shape[2:]:
            T, V, C = seen.shape[2:]
            raise ValueError(
                f'{type(self.backbone).__name__} turns {T} frames of {V} joints into a grid of '
                f'{feats.shape[3]} × {feats.shape[4]}, from which the neck predicts (frames, '
                f'joints, channels) = {tuple(pred.shape[1:])} instead of {(T, V, C)}. Set its '
                'temporal_stride and joint_stride to those of the backbone, and clip_len of the '
                'pipeline to a multiple of them.'
            )
        return self.patchify(pred).flatten(1, 2)
