from typing import Dict, List, Optional

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from .base import BaseSkeletonSSL, sample_indices


@MODELS.register_module()
class STARS(BaseSkeletonSSL):
    """Contrastive tuning of a pretrained encoder, the second stage of STARS
    (arXiv 2407.10935, section 3.3).

    Args:
        backbone (dict): Encoder that maps (N, M, T, V, C) to
            (N, M, C′, T′, V′).
        head (dict): Contrastive head, such as :class:`NNCLRHead`.
        neck (dict, optional): Maps sequence features (N, C′) to those that
            the head takes.
        data_preprocessor (dict, optional): See :class:`BaseSkeletonSSL`.
        init_cfg (dict, optional): mmengine's initialisation.
    """

    needs_pretrained = True

    def __init__(self,
                 backbone: dict,
                 head: dict,
                 neck: Optional[dict] = None,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(backbone, head, neck, data_preprocessor, init_cfg)

    def loss(self, inputs: Tensor,
             data_samples: List[ActionDataSample]) -> Dict[str, Tensor]:
        """Pull every sequence feature towards its neighbours'.

        Args:
            inputs (Tensor): Clips of shape (N, clips, M, T, V, C); each clip
                beyond the first is a further view of the sample.
            data_samples (list[ActionDataSample]): N data samples with
                ``sample_idx``.

        Returns:
            dict[str, Tensor]: The losses of the head.
        """
        self._check_clips(inputs)
        if _views_are_identical(inputs):
            inputs = inputs[:, :1]
        feats = self.clip_features(inputs).unbind(dim=1)  # views × (N, C′)
        if self.with_neck:
            feats = [self.neck(feat) for feat in feats]
        return self.head.loss(
            list(feats), sample_indices(data_samples, inputs.device))


def _views_are_identical(inputs: Tensor) -> bool:
    """Whether every sample's views are equal, on all ranks: the number of
    views decides how often the head gathers, so the ranks have to agree."""
    if inputs.shape[1] == 1:  # spares a GPU the synchronisation below
        return True
    identical = (inputs == inputs[:, :1]).all().to(torch.uint8)
    all_reduce(identical, 'min')
    return bool(identical)
