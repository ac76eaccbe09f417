"""Parts of DINOv2's loss (arXiv 2304.07193) as plain functions."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

EPS = 1e-8  # of KoLeo's distance and logarithm, as in DINOv2


@torch.no_grad()
def sinkhorn_knopp(logits: Tensor, num_iters: int = 3) -> Tensor:
    """Share the samples of all ranks out evenly among the clusters.

    exp(logits) is scaled in turn so that the clusters weigh the same and that each sample weighs 1:
    this rank's scores divided by the temperature, (N, K), become probabilities (N, K). N is the
    same on every rank.
    """
    peak = logits.max()
    all_reduce(peak, 'max')
    weight = (logits - peak).exp()  # one factor for all: cannot overflow
    num_samples = len(logits) * get_world_size()
    for _ in range(num_iters):
        cluster = weight.sum(dim=0)  # (K, )
        all_reduce(cluster)
        weight = weight / (cluster * logits.shape[1] / num_samples)
        weight = weight / weight.sum(dim=1, keepdim=True)
    return weight


def koleo(feats: Tensor) -> Tensor:
    """Kozachenko-Leonenko estimate of how unevenly features spread: mean of
    −log(distance to the nearest other sample of this rank), of at least two, (N, C)."""
    if len(feats) < 2:
        raise ValueError(
            f'KoLeo needs two samples or more on each process, got {len(feats)}; set '
            'koleo_weight=0 or a larger train_dataloader.batch_size.'
        )
    with torch.autocast(feats.device.type, enabled=False):
        feats = F.normalize(feats.float())
        with torch.no_grad():  # below any cosine, on the diagonal
            similarity = (feats @ feats.t()).fill_diagonal_(-2)
            nearest = similarity.argmax(dim=1)
        distance = F.pairwise_distance(feats, feats[nearest], eps=EPS)
    return -(distance + EPS).log().mean()
