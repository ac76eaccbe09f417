import math

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from stars_mm.models.algorithms.base import MaskedMotionSSL, build_module
from stars_mm.models.utils.gather import weight_of_rank
from stars_mm.models.utils.masking import num_kept_tokens


@MODELS.register_module()
class MAMP(MaskedMotionSSL):
    """Masked motion prediction, the first stage of STARS (arXiv 2308.07092).

    Args:
        backbone (dict): Encoder that can encode a part of the tokens, such as
            :class:`SkeletonTransformer`.
        neck (dict): :class:`MAMPDecoder` or :class:`MAMPCrossDecoder`; shapes left out are the
            backbone's.
        head (dict): :class:`MAMPHead`.
        mask_ratio (float): Share of the tokens that are hidden.
        motion_aware_tau (float, optional): Temperature τ of motion-aware
            masking; ``None`` masks uniformly.
        data_preprocessor (dict, optional): See :class:`BaseSkeletonSSL`.
        init_cfg (dict, optional): mmengine's initialization.
        skip_absent (bool): Whether persons that are all zeros are left out.
            The reference encodes, masks and scores them like any other, so
            this is a deviation that saves work; see docs/speed.md.
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
        skip_absent: bool = False,
    ) -> None:
        backbone = build_module(backbone)
        if not hasattr(backbone, 'encode'):
            raise TypeError(
                'MAMP needs a backbone that encodes a part of the tokens, as SkeletonTransformer '
                f'does; {type(backbone).__name__} has no method "encode". InputMaskedMAMP takes '
                'any backbone.'
            )
        patch = dict(tubelet_size=backbone.tubelet_size, joint_patch_size=backbone.joint_patch_size)
        neck_defaults = dict(
            in_channels=backbone.embed_dims,
            out_channels=backbone.in_channels,
            num_frames=backbone.num_frames,
            num_joints=backbone.num_joints,
            **patch,
        )
        super().__init__(
            backbone,
            {**neck_defaults, **neck},
            {**patch, **head},
            mask_ratio,
            motion_aware_tau,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        num_kept_tokens(math.prod(backbone.grid_size), self.mask_ratio)  # raises where none is left
        self.skip_absent = skip_absent

    def loss(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        noise: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Predict the motion of hidden tokens.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).
            data_samples (list[ActionDataSample], optional): Not used.
            noise (Tensor, optional): Uniform draw (N·clips·M, L) that decides
                what is hidden, for reproducible checks. Which part of that
                :class:`MAMPCrossDecoder` predicts is drawn besides.

        Returns:
            dict[str, Tensor]: The scalar ``loss``.
        """
        self._check_clips(inputs)
        x = inputs.flatten(0, 2)  # (B, T, V, C), B = N·clips·M
        if self.skip_absent:
            present = (x != 0).flatten(1).any(dim=1)
            present |= ~present.any()  # all, where none is: the loss stays a number
            x, noise = x[present], noise if noise is None else noise[present]
        ids_keep, ids_restore, _ = self.mask(x, noise)
        ids_hidden = ids_restore.argsort(dim=1)[:, ids_keep.shape[1] :]
        tokens = self.backbone.encode(x, ids_keep)
        ids_predicted = self.neck.draw_predicted(ids_hidden)
        pred = self.neck.predict_hidden(tokens, ids_keep, ids_predicted)
        losses = self.head.loss_hidden(pred, x, ids_predicted)
        if self.skip_absent:  # the ranks have different numbers of persons
            losses['loss'] = losses['loss'] * weight_of_rank(x)
        return losses

    @torch.no_grad()
    def reconstruct(self, inputs: Tensor, noise: Tensor | None = None) -> dict[str, Tensor]:
        """What the model predicts where, to look at.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C).
            noise (Tensor, optional): Uniform draw (B, L), B = N·clips·M.

        Returns:
            dict[str, Tensor]: ``pred`` and ``target`` (B, L, P), ``mask``
            (B, L) and the skeletons ``x`` (B, T, V, C).
        """
        self._check_clips(inputs)
        x = inputs.flatten(0, 2)  # (B, T, V, C)
        ids_keep, ids_restore, mask = self.mask(x, noise)
        pred = self.neck(self.backbone.encode(x, ids_keep), ids_restore)
        return dict(pred=pred, target=self.head.target(x), mask=mask, x=x)
