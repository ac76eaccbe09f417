import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.dist import get_rank
from mmengine.model import BaseModule
from torch import Tensor, nn

from stars_mm.models.utils.feature_queue import FeatureQueue
from stars_mm.models.utils.gather import gather_with_grad
from stars_mm.models.utils.projection import check_channels
from stars_mm.models.utils.views import view_pairs


@MODELS.register_module()
class NNCLRHead(BaseModule):
    """Nearest-neighbour contrastive head of STARS (arXiv 2407.10935, 3.3).

    Each sample's *projection* looks up its nearest neighbour in a queue of earlier projections, and
    the sample's *prediction* must pick that neighbour out among those of the batch.

    Args:
        in_channels (int): Channels C of the sequence feature.
        hidden_channels (int): Hidden channels of the predictor.
        queue_size (int): Entries of the queue.
        temperature (float): Temperature of the softmax.
        topk (int): 0 takes the nearest neighbour, k > 0 a random one of the k nearest.
    """

    def __init__(
        self,
        in_channels: int = 256,
        hidden_channels: int = 4096,
        queue_size: int = 32768,
        temperature: float = 0.07,
        topk: int = 0,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive: {temperature}.')
        if not 0 <= topk <= queue_size:
            raise ValueError(f'topk={topk} must lie between 0 and queue_size={queue_size}.')
        self.projector = nn.Sequential(nn.BatchNorm1d(in_channels))
        self.predictor = nn.Sequential(
            nn.Linear(in_channels, hidden_channels, bias=False),
            nn.BatchNorm1d(hidden_channels),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_channels, in_channels),
        )
        self.in_channels = in_channels
        self.queue = FeatureQueue(queue_size, in_channels)
        self.temperature = temperature
        self.topk = topk

    def loss(self, feats: list[Tensor], sample_idx: Tensor) -> dict[str, Tensor]:
        """Contrastive loss between the neighbours of one view and the
        predictions of another (the same, where there is but one).

        Args:
            feats (list[Tensor]): Sequence features of each view, (N, C).
            sample_idx (Tensor): Index of each sample in the data set, (N, ).

        Returns:
            dict[str, Tensor]: The scalar ``loss``.
        """
        projections, predictions = zip(*(self(feat) for feat in feats))
        neighbors = [self.neighbors(p, sample_idx) for p in projections]
        losses = [self.contrast(neighbors[i], predictions[j]) for i, j in view_pairs(len(feats))]
        self.queue.push(projections[0], sample_idx)
        return dict(loss=torch.stack(losses).mean())

    def forward(self, feat: Tensor) -> tuple[Tensor, Tensor]:
        """Projection and prediction (N, C) of features (N, C), both L2-normalised."""
        check_channels(self, feat)
        projection = self.projector(feat)
        prediction = self.predictor(projection)
        return F.normalize(projection.float()), F.normalize(prediction.float())

    def neighbors(self, projection: Tensor, sample_idx: Tensor) -> Tensor:
        """Nearest neighbours (N, C) in the queue, of other samples."""
        index = self.queue.nearest(projection.detach(), sample_idx, self.topk)
        return self.queue.feats[index]

    def contrast(self, neighbors: Tensor, predictions: Tensor) -> Tensor:
        """Cross-entropy of picking one's own prediction (N, C) out of all ranks', by the neighbour
        (N, C) of one's projection."""
        predictions = gather_with_grad(predictions)  # (W·N, C)
        with torch.autocast(predictions.device.type, enabled=False):
            logits = neighbors @ predictions.t()  # (N, W·N)
        N = len(neighbors)
        target = get_rank() * N + torch.arange(N, device=logits.device)
        return F.cross_entropy(logits / self.temperature, target)
