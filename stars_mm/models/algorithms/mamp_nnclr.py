from typing import Any

from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from stars_mm.models.algorithms.base import build_module, sample_indices
from stars_mm.models.algorithms.mamp import MAMP
from stars_mm.models.utils.views import distinct_views


@MODELS.register_module()
class MAMPNNCLR(MAMP):
    """Both of STARS's losses in one stage, which the paper compares with its
    two stages (arXiv 2407.10935, ablation).

    The encoder sees the kept tokens for the motion loss, and all tokens for the contrastive one.

    Args:
        contrast_head (dict): Contrastive head, such as :class:`NNCLRHead`.
        contrast_weight (float): Factor on the contrastive loss.
        **kwargs: Those of :class:`MAMP`.
    """

    def __init__(self, contrast_head: dict, contrast_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if contrast_weight <= 0:
            raise ValueError(
                f'contrast_weight must be positive, got {contrast_weight}; without contrast it is '
                'MAMP.'
            )
        self.contrast_head = build_module(contrast_head)
        self.contrast_weight = contrast_weight

    def loss(
        self,
        inputs: Tensor,
        data_samples: list[ActionDataSample] | None = None,
        noise: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Predict hidden motion, and pull features to their neighbors.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C); each clip
                beyond the first is a further view of the sample.
            data_samples (list[ActionDataSample]): N data samples with ``sample_idx``.
            noise (Tensor, optional): See :meth:`MAMP.loss`.

        Returns:
            dict[str, Tensor]: The scalar ``loss``, and its terms ``motion``
            and ``contrast`` (not weighted) to look at.
        """
        motion = super().loss(inputs, data_samples, noise)['loss']
        contrast = self.contrast_head.loss(
            list(self.clip_features(distinct_views(inputs)).unbind(dim=1)),
            sample_indices(data_samples, inputs.device),
        )['loss']
        return dict(
            loss=motion + self.contrast_weight * contrast,
            motion=motion.detach(),
            contrast=contrast.detach(),
        )
