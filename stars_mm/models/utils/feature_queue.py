import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_mm.models.utils.gather import gather_without_grad


class FeatureQueue(nn.Module):
    """Ring buffer of features, each with the index of its sample.

    Features, indices and the write pointer are buffers, so that a checkpoint
    holds them and a resumed run goes on with the same neighbours.

    Args:
        size (int): Number K of entries.
        dims (int): Channels C of a feature.
    """

    def __init__(self, size: int, dims: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f'queue_size must be at least 1, got {size}.')
        # the same on every rank, also where their seeds differ
        noise = torch.randn(size, dims, generator=torch.Generator().manual_seed(0))
        self.size = size
        self.register_buffer('feats', F.normalize(noise))
        self.register_buffer('ids', torch.full((size,), -1))
        self.register_buffer('ptr', torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    def nearest(self, query: Tensor, sample_idx: Tensor, topk: int = 0) -> Tensor:
        """Index of each query's nearest entry that another sample left.

        An epoch ago the sample itself may have entered the queue; it is never its own neighbour.

        Args:
            query (Tensor): L2-normalised features, (N, C).
            sample_idx (Tensor): Index of each query's sample, (N, ).
            topk (int): 0 takes the most similar entry; k > 0 takes a random
                one of the k most similar.

        Returns:
            Tensor: Indices into the queue, (N, ).
        """
        with torch.autocast(query.device.type, enabled=False):
            similarity = query.to(self.feats.dtype) @ self.feats.t()  # (N, K)
        own = sample_idx[:, None] == self.ids
        similarity = similarity.masked_fill(own, float('-inf'))
        if topk == 0:
            return similarity.argmax(dim=1)
        nearest = similarity.topk(topk, dim=1)  # (N, topk)
        foreign = nearest.values.isfinite().sum(dim=1, keepdim=True)
        choice = torch.rand(len(query), 1, device=query.device) * foreign
        return nearest.indices.gather(1, choice.long()).squeeze(1)

    @torch.no_grad()
    def push(self, feats: Tensor, sample_idx: Tensor) -> None:
        """Let the features (N, C) of the samples (N, ) of all ranks overwrite the oldest entries,
        wrapping at the end.

        Raises:
            ValueError: If more features come than the queue holds.
        """
        feats, sample_idx = gather_without_grad(feats), gather_without_grad(sample_idx)
        if len(feats) > self.size:
            raise ValueError(
                f'A batch of {len(feats)} features (all ranks together) does not fit into '
                f'queue_size={self.size}; make the queue larger or the batch smaller.'
            )
        slots = (self.ptr + torch.arange(len(feats), device=feats.device)) % self.size
        self.feats[slots] = feats.to(self.feats.dtype)
        self.ids[slots] = sample_idx
        self.ptr.copy_((self.ptr + len(feats)) % self.size)
