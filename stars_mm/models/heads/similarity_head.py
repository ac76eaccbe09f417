import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from stars_mm.models.utils.gather import gather_with_grad, gather_without_grad


@MODELS.register_module()
class SimilarityHead(BaseModule):
    """Teaches sequence features the similarities of features that need no training (ours).

    The target of every clip of the training data is a feature that :class:`SimilarityTargetHook`
    computes from the whole clip before training. In each batch the cosine similarities of the
    learned features of views, which are cropped, turned and partly hidden, have to follow those of
    the targets. Nothing pulls apart or together but that, so nothing can collapse, and neither
    projector nor queue is needed.
    """

    targets: Tensor  # (N, D) of unit length, by sample index

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('targets', torch.empty(0, 0), persistent=False)

    def set_targets(self, targets: Tensor) -> None:
        """Take the target (N, D) of every clip of the training data, in its order."""
        self.targets = F.normalize(targets.float()).to(self.targets.device)

    def loss(self, feats: list[Tensor], sample_idx: Tensor) -> dict[str, Tensor]:
        """Squared error of the similarities of the samples, mean over all pairs of the batch and
        over the views.

        Args:
            feats (list[Tensor]): Sequence features of each view, (N, C).
            sample_idx (Tensor): Index of each sample in the data set, (N, ).

        Returns:
            dict[str, Tensor]: The scalar ``loss``.

        Raises:
            RuntimeError: If there are no targets.
        """
        if not len(self.targets):
            raise RuntimeError(
                'SimilarityHead has no targets. Add to the config: '
                "custom_hooks=[dict(type='SimilarityTargetHook', dataloader=…)]."
            )
        target = self.targets[gather_without_grad(sample_idx)]  # (W·N, D)
        losses = [similarity_error(gather_with_grad(feat), target) for feat in feats]
        return dict(loss=torch.stack(losses).mean())


def similarity_error(feats: Tensor, target: Tensor) -> Tensor:
    """Ten times the mean squared difference between the similarities of features (N, C) and those
    of target features (N, D), over the N(N − 1) pairs: cosines about the batch's mean."""
    with torch.autocast(feats.device.type, enabled=False):
        error = (_similarities(feats.float()) - _similarities(target)).square()
        N = len(error)
        return 10 * error.fill_diagonal_(0).sum() / (N * (N - 1))


def _similarities(feats: Tensor) -> Tensor:
    feats = F.normalize(feats - feats.mean(dim=0))
    return feats @ feats.t()
