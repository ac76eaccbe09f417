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
    """

    needs_pretrained = True

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, head, neck, data_preprocessor, init_cfg)
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
        feats = list(self.clip_features(inputs).unbind(dim=1))  # (N, C′) each
        if self.neck is not None:
            feats = [self.neck(feat) for feat in feats]
        if self.teacher is None:
            return self.head.loss(feats, sample_idx)
        with torch.no_grad():  # the teacher follows the student, then sees the same views
            self.teacher.update(self._student())
            targets = self.teacher(inputs)
        return self.head.loss(feats, sample_idx, targets)

    def _student(self) -> Branch:
        return Branch(self.backbone, self.head.projector, self.neck)
