import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from stars_mm.models.utils.clustering import koleo, sinkhorn_knopp
from stars_mm.models.utils.gather import gather_without_grad
from stars_mm.models.utils.projection import check_channels, projection_mlp
from stars_mm.models.utils.views import view_pairs

CENTERINGS = ('sinkhorn_knopp', 'mean')
CENTER_MOMENTUM = 0.9  # of DINO's running center, arXiv 2104.14294


class PrototypeProjector(nn.Module):
    """Cosine similarity of projected features to K = ``out_channels`` learned prototypes."""

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        self.mlp = projection_mlp(in_channels, hidden_channels, in_channels)
        self.prototypes = nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, feat: Tensor) -> Tensor:
        """Similarities in −1…1: (N, C) → (N, K)."""
        projection = self.mlp(feat)
        with torch.autocast(feat.device.type, enabled=False):
            return F.linear(F.normalize(projection.float()), F.normalize(self.prototypes.weight))


@MODELS.register_module()
class DINOHead(BaseModule):
    """Self-distillation without labels (arXiv 2104.14294, with the centering
    and the KoLeo term of arXiv 2304.07193) as the loss of STARS's tuning.

    The student predicts to which of the prototypes the teacher assigns the
    sample. ``STARS`` sees ``teacher_momentum`` and keeps the teacher.

    Args:
        in_channels (int): Channels C of the sequence feature.
        hidden_channels (int): Hidden channels of the projector.
        out_channels (int): Number K of prototypes.
        student_temperature (float): Temperature of the student's softmax.
        teacher_temperature (float): Temperature of the teacher's.
        centering (str): What keeps the teacher from giving every sample to
            one prototype: ``'sinkhorn_knopp'`` shares the samples of all
            ranks out evenly, ``'mean'`` subtracts a running mean.
        sinkhorn_iters (int): Iterations of Sinkhorn-Knopp.
        koleo_weight (float): Weight of the KoLeo term on the features.
        teacher_momentum (float or tuple[float, float]): See :class:`MomentumTeacher`.
    """

    def __init__(
        self,
        in_channels: int = 256,
        hidden_channels: int = 4096,
        out_channels: int = 128,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        centering: str = 'sinkhorn_knopp',
        sinkhorn_iters: int = 3,
        koleo_weight: float = 0.1,
        teacher_momentum: float | tuple[float, float] = (0.996, 1.0),
    ) -> None:
        super().__init__()
        positive = dict(
            student_temperature=student_temperature,
            teacher_temperature=teacher_temperature,
            sinkhorn_iters=sinkhorn_iters,
        )
        for key, value in positive.items():
            if value <= 0:
                raise ValueError(f'{key} must be positive: {value}.')
        if centering not in CENTERINGS:
            raise ValueError(f'centering="{centering}" must be one of {CENTERINGS}.')
        if koleo_weight < 0:
            raise ValueError(f'koleo_weight={koleo_weight} must not be negative.')
        self.projector = PrototypeProjector(in_channels, hidden_channels, out_channels)
        self.register_buffer('center', torch.zeros(out_channels))
        self.in_channels = in_channels
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.centering = centering
        self.sinkhorn_iters = sinkhorn_iters
        self.koleo_weight = koleo_weight
        self.teacher_momentum = teacher_momentum

    def loss(
        self, feats: list[Tensor], sample_idx: Tensor, targets: list[Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Cross-entropy between the teacher's assignment of one view and the
        student's of another (the same, where there is but one), and KoLeo.

        Args:
            feats (list[Tensor]): The student's features of each view, (N, C).
            sample_idx (Tensor): Not used.
            targets (list[Tensor], optional): The teacher's similarities for
                each view, (N, K); the student's own by default.

        Returns:
            dict[str, Tensor]: The scalar ``loss``, and its terms ``dino`` and
            ``koleo`` (not weighted) to look at.
        """
        for feat in feats:
            check_channels(self, feat)
        outputs = [self.projector(feat) for feat in feats]
        assigned = self.assign([t.detach() for t in targets or outputs])
        log_probs = [(output / self.student_temperature).log_softmax(dim=1) for output in outputs]
        pairs = view_pairs(len(feats))
        losses = [-(assigned[i] * log_probs[j]).sum(dim=1).mean() for i, j in pairs]
        dino = torch.stack(losses).mean()
        if not self.koleo_weight:
            return dict(loss=dino)
        spread = torch.stack([koleo(feat) for feat in feats]).mean()
        loss = dino + self.koleo_weight * spread
        return dict(loss=loss, dino=dino.detach(), koleo=spread.detach())

    @torch.no_grad()
    def assign(self, targets: list[Tensor]) -> list[Tensor]:
        """Turn the teacher's similarities (N, K) of each view into
        probabilities (N, K), and move the running mean along."""
        scale = self.teacher_temperature
        if self.centering == 'sinkhorn_knopp':
            return [sinkhorn_knopp(target / scale, self.sinkhorn_iters) for target in targets]
        assigned = [((target - self.center) / scale).softmax(dim=1) for target in targets]
        mean = torch.cat([gather_without_grad(target) for target in targets]).mean(dim=0)
        self.center.lerp_(mean, 1 - CENTER_MOMENTUM)
        return assigned
