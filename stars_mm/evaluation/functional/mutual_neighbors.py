import torch
import torch.nn.functional as F
from torch import Tensor

from stars_mm.evaluation.functional.knn import nearest_neighbors

#: Neighbors, weight of their mean and power of the similarity, unless something else is said.
K, WEIGHT, POWER = 20, 1.0, 6
_ROWS = 4096  # whose neighbors are added up at a time


def pull_to_mutual_neighbors(
    bank: Tensor, query: Tensor, k: int = K, weight: float = WEIGHT, power: float = POWER
) -> tuple[Tensor, Tensor]:
    """Draw every feature towards its mutual neighbors in a bank without labels.

    A feature f of unit length becomes normalize(f + weight · m), where m is the mean of those of
    its k nearest in the bank that have it among their own k nearest, each with the weight
    similarity^power (0 where the cosine is negative); f where it has none. It is what tuning by
    nearest neighbors does, in closed form. A clip of the bank is no neighbor of its own. The query
    changes neither the bank nor each other, and all similarities are exact, as those of
    :func:`nearest_neighbors`.

    Args:
        bank (Tensor): Features (B, C), of any length.
        query (Tensor): Features (Q, C) to be drawn to the bank.
        k (int): Neighbors; all others where the bank has no more.
        weight (float): Of the neighbors' mean.
        power (float): Of the similarity.

    Returns:
        tuple[Tensor, Tensor]: Bank and query, of unit length.
    """
    found = MutualNeighbors(bank, k, weight, power)
    return found.pulled, found.pull(query)


class MutualNeighbors:
    """A bank that any number of queries are drawn to, by the arguments of
    :func:`pull_to_mutual_neighbors`.

    Attributes:
        pulled (Tensor): The bank's own features, drawn, (B, C).
    """

    def __init__(self, bank: Tensor, k: int = 20, weight: float = 1.0, power: float = 6) -> None:
        self.weight, self.power = weight, power
        self.bank = self.pulled = F.normalize(bank)
        self.k = min(k, len(bank) - 1)
        if self.k < 1:
            return
        near, places = nearest_neighbors(self.bank, self.bank, self.k + 1)
        near, places = _without_self(near, places)
        self.reach = near[:, -1]  # the least similarity that each one's k nearest have
        self.pulled = self._pull(self.bank, near, places)

    def pull(self, query: Tensor) -> Tensor:
        """Features (Q, C), of unit length, drawn to the bank."""
        query = F.normalize(query)
        if self.k < 1 or not len(query):
            return query
        return self._pull(query, *nearest_neighbors(self.bank, query, self.k))

    def _pull(self, feats: Tensor, near: Tensor, places: Tensor) -> Tensor:
        weights = near.clamp(min=0) ** self.power * (near >= self.reach[places])
        weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
        drawn = []
        for f, w, at in zip(*(x.split(_ROWS) for x in (feats, weights, places))):
            mean = torch.einsum('nk,nkc->nc', w.to(f), self.bank[at.to(f.device)])
            drawn.append(F.normalize(f + self.weight * mean))
        return torch.cat(drawn)


def _without_self(near: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Of the k + 1 nearest (B, k + 1) of every clip of a bank the k others: a clip need not be its
    own nearest where others equal it."""
    own = places == torch.arange(len(places))[:, None]
    own[:, -1] |= ~own.any(dim=1)
    return near[~own].view(len(near), -1), places[~own].view(len(near), -1)
