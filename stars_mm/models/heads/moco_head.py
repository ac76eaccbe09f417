import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from stars_mm.models.utils.feature_queue import FeatureQueue
from stars_mm.models.utils.projection import check_channels, projection_mlp
from stars_mm.models.utils.views import view_pairs


@MODELS.register_module()
class MoCoHead(BaseModule):
    """Momentum contrast (arXiv 1911.05722) as the loss of STARS's tuning.

    Each sample's query must pick the key that the teacher made of the same sample out among a queue
    of earlier keys. ``STARS`` sees ``teacher_momentum`` and keeps the teacher.

    Args:
        in_channels (int): Channels C of the sequence feature, and of queries and keys.
        hidden_channels (int): Hidden channels of the projector.
        queue_size (int): Entries of the queue.
        temperature (float): Temperature of the softmax.
        teacher_momentum (float or tuple[float, float]): See :class:`MomentumTeacher`.
    """

    def __init__(
        self,
        in_channels: int = 256,
        hidden_channels: int = 4096,
        queue_size: int = 32768,
        temperature: float = 0.07,
        teacher_momentum: float | tuple[float, float] = 0.999,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive: {temperature}.')
        self.projector = projection_mlp(in_channels, hidden_channels, in_channels)
        self.queue = FeatureQueue(queue_size, in_channels)
        self.in_channels = in_channels
        self.temperature = temperature
        self.teacher_momentum = teacher_momentum

    def loss(
        self, feats: list[Tensor], sample_idx: Tensor, targets: list[Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Contrastive loss between the queries of one view and the keys of
        another (the same, where there is but one).

        Args:
            feats (list[Tensor]): The student's features of each view, (N, C).
            sample_idx (Tensor): Index of each sample in the data set, (N, ).
            targets (list[Tensor], optional): The teacher's projections of
                each view, (N, C); the student's own by default.

        Returns:
            dict[str, Tensor]: The scalar ``loss``.
        """
        for feat in feats:
            check_channels(self, feat)
        queries = [normalize(self.projector(feat)) for feat in feats]
        keys = [normalize(target).detach() for target in targets or queries]
        own = sample_idx[:, None] == self.queue.ids[None]  # (N, K)
        queue = self.queue.feats.clone()  # the push changes it in place
        losses = [self.contrast(queries[i], keys[j], queue, own) for i, j in view_pairs(len(feats))]
        self.queue.push(keys[0], sample_idx)
        return dict(loss=torch.stack(losses).mean())

    def contrast(self, query: Tensor, key: Tensor, queue: Tensor, own: Tensor) -> Tensor:
        """Cross-entropy of picking one's own key (N, C) out among the queue's (K, C).

        Those that the sample itself left an epoch ago, ``own`` (N, K), are no negatives.
        """
        with torch.autocast(query.device.type, enabled=False):
            positive = (query * key).sum(dim=1, keepdim=True)  # (N, 1)
            negative = query @ queue.t()  # (N, K)
        negative = negative.masked_fill(own, float('-inf'))
        logits = torch.cat((positive, negative), dim=1) / self.temperature
        target = torch.zeros_like(logits[:, 0], dtype=torch.long)
        return F.cross_entropy(logits, target)


def normalize(x: Tensor) -> Tensor:
    """L2-normalise (N, C) in single precision."""
    return F.normalize(x.float())
