import math

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from stars_mm.models.algorithms.base import BaseSkeletonSSL, sample_indices
from stars_mm.models.utils.teacher import Branch, MomentumTeacher
from stars_mm.models.utils.views import distinct_views


@MODELS.register_module()
class STARS(BaseSkeletonSSL):
    """Contrastive tuning of a pretrained encoder, the second stage of STARS
    (arXiv 2407.10935, section 3.3).

    A head that names a ``teacher_momentum``, as :class:`MoCoHead` and :class:`DINOHead` do, is also
    given what a :class:`MomentumTeacher` makes of the views.

    Args:
        backbone (dict): Encoder that maps (N, M, T, V, C) to (N, M, C′, T′, V′).
        head (dict): Contrastive head, such as :class:`NNCLRHead`.
        neck (dict, optional): Maps sequence features (N, C′) to those that the head takes.
        data_preprocessor (dict, optional): See :class:`BaseSkeletonSSL`.
        init_cfg (dict, optional): mmengine's initialization.
        keep_ratio (float): Share of each clip's tokens, drawn at random, that the encoder sees in
            training; 1, as the paper, shows all. Less needs a backbone with ``encode``, as
            :class:`SkeletonTransformer` has.
    """

    needs_pretrained = True

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
        keep_ratio: float = 1.0,
    ) -> None:
        super().__init__(backbone, head, neck, data_preprocessor, init_cfg)
        if not 0 < keep_ratio <= 1:
            raise ValueError(f'keep_ratio={keep_ratio} must lie above 0 and at most at 1.')
        if keep_ratio < 1 and not hasattr(self.backbone, 'encode'):
            raise TypeError(
                f'keep_ratio={keep_ratio} needs a backbone that encodes a part of the tokens, as '
                f'SkeletonTransformer does; {type(self.backbone).__name__} has no method "encode".'
            )
        self.keep_ratio = keep_ratio
        momentum = getattr(self.head, 'teacher_momentum', None)
        self.teacher = None if momentum is None else MomentumTeacher(self._student(), momentum)

    def loss(self, inputs: Tensor, data_samples: list[ActionDataSample]) -> dict[str, Tensor]:
        """Pull every sequence feature towards its neighbours'.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C); each clip
                beyond the first is a further view of the sample.
            data_samples (list[ActionDataSample]): N data samples with ``sample_idx``.

        Returns:
            dict[str, Tensor]: The losses of the head.
        """
        self._check_clips(inputs)
        inputs = distinct_views(inputs)
        sample_idx = sample_indices(data_samples, inputs.device)
        feats = list(self.training_features(inputs).unbind(dim=1))  # (N, C′) each
        if self.neck is not None:
            feats = [self.neck(feat) for feat in feats]
        if self.teacher is None:
            return self.head.loss(feats, sample_idx)
        with torch.no_grad():  # the teacher follows the student, then sees the same views
            self.teacher.update(self._student())
            targets = self.teacher(inputs)
        return self.head.loss(feats, sample_idx, targets)

    def training_features(self, inputs: Tensor) -> Tensor:
        """Features (N, clips, C′) of the kept tokens of clips (N, clips, M, T, V, C)."""
        if self.keep_ratio == 1:
            return self.clip_features(inputs)
        x = inputs.flatten(0, 2)  # (B, T, V, C), B = N·clips·M
        num_tokens = math.prod(self.backbone.grid_size)
        num_kept = max(int(num_tokens * self.keep_ratio), 1)
        noise = torch.rand(len(x), num_tokens, device=x.device)
        tokens = self.backbone.encode(x, noise.argsort(dim=1)[:, :num_kept])  # (B, K, C′)
        return tokens.mean(dim=1).unflatten(0, inputs.shape[:3]).mean(dim=2)

    def _student(self) -> Branch:
        return Branch(self.backbone, self.head.projector, self.neck)
