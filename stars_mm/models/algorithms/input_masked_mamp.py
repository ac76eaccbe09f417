import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from stars_mm.models.algorithms.base import BaseSkeletonSSL
from stars_mm.models.utils.masking import hide_tokens
from stars_mm.models.utils.patches import patchify


@MODELS.register_module()
class InputMaskedMAMP(BaseSkeletonSSL):
    """Masked motion prediction for backbones that cannot leave tokens out,
    such as graph networks: hidden patches are overwritten at the input.

    A hidden patch is filled with a learned value a channel. Everything else is
    as in :class:`MAMP`: which patches are hidden, the target and the loss.

    Args:
        backbone (dict): Encoder that maps (N, M, T, V, C) to (N, M, C′, T′, V′).
        neck (dict): :class:`FramePredictor`, or what else maps
            (B, C′, T′, V′) to (B, T, V, C) and knows its ``out_channels`` C.
        head (dict): :class:`MAMPHead`, which says how large a patch is.
        mask_ratio (float): Share of the patches that are hidden.
        motion_aware_tau (float, optional): Temperature τ of motion-aware
            masking; ``None`` masks uniformly.
        data_preprocessor (dict, optional): See :class:`BaseSkeletonSSL`.
        init_cfg (dict, optional): mmengine's initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        mask_ratio: float = 0.9,
        motion_aware_tau: float | None = 0.8,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, neck, data_preprocessor, init_cfg)
        if motion_aware_tau is not None and motion_aware_tau <= 0:
            raise ValueError(
                'motion_aware_tau must be positive, or None for '
                f'uniform masking; got {motion_aware_tau}.'
            )
        if not 0 < mask_ratio < 1:
            raise ValueError(f'mask_ratio={mask_ratio} must lie between 0 and 1.')
        self.mask_ratio = mask_ratio
        self.motion_aware_tau = motion_aware_tau
        self.mask_value = nn.Parameter(torch.zeros(self.neck.out_channels))

    def loss(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        noise: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Predict the motion of hidden patches.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).
            data_samples (list[ActionDataSample], optional): Not used.
            noise (Tensor, optional): Uniform draw (N·clips·M, L) that decides
                what is hidden, for reproducible checks.

        Returns:
            dict[str, Tensor]: The scalar ``loss``.
        """
        self._check_clips(inputs)
        x = inputs.flatten(0, 2)  # (B, T, V, C), B = N·clips·M
        mask = self.mask(x, noise)
        seen = self.hide(x, mask).unflatten(0, (-1, inputs.shape[2]))
        pred = self.predict_patches(seen)
        return self.head.loss(pred, x, mask)

    def mask(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Choose the patches to hide: (B, T, V, C) → (B, L), 1 where hidden;
        ``noise`` is a uniform draw (B, L)."""
        patches = patchify(x, *self._patch)
        return hide_tokens(patches, self.mask_ratio, self.motion_aware_tau, noise)[2]

    def hide(self, x: Tensor, mask: Tensor) -> Tensor:
        """Fill the hidden patches (B, L) of skeletons (B, T, V, C)."""
        t, v = self._patch
        hidden = mask.reshape(len(x), x.shape[1] // t, x.shape[2] // v)
        hidden = hidden.repeat_interleave(t, 1).repeat_interleave(v, 2)
        return torch.where(hidden[..., None] > 0, self.mask_value.to(x), x)

    def predict_patches(self, seen: Tensor) -> Tensor:
        """Predict every patch of clips.

        Args:
            seen (Tensor): Clips with hidden patches, (N, M, T, V, C).

        Returns:
            Tensor: Predicted patches, (N·M, L, P).

        Raises:
            ValueError: If the neck's frames and joints are not the input's.
        """
        feats = self.backbone(seen)  # (N, M, C′, T′, V′)
        pred = self.neck(feats.flatten(0, 1))  # (N·M, T, V, C)
        if pred.shape[1:] != seen.shape[2:]:
            T, V, C = seen.shape[2:]
            raise ValueError(
                f'{type(self.backbone).__name__} turns {T} frames of {V} '
                f'joints into a grid of {feats.shape[3]} × {feats.shape[4]}, '
                'from which the neck predicts (frames, joints, channels) = '
                f'{tuple(pred.shape[1:])} instead of {(T, V, C)}. Set its '
                'temporal_stride and joint_stride to those of the backbone, '
                'and clip_len of the pipeline to a multiple of them.'
            )
        return patchify(pred, *self._patch).flatten(1, 2)

    @property
    def _patch(self) -> tuple[int, int]:
        return self.head.tubelet_size, self.head.joint_patch_size
