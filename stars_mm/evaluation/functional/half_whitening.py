import torch
from torch import Tensor

_ROWS = 1024  # taken to double precision at a time
_NOTHING = 1e-12  # of the largest variance: a direction in which the clips do not differ


class HalfWhitening:
    """Principal components of a bank, each divided by a power of its standard deviation σ.

    Plain components (power 0) let the few largest decide what is near, whitened ones (power 1) give
    the noise of the smallest as much weight as them; half of it lies between. No label is looked
    at. Exact and without chance: the eigenvectors of the covariance, or of the clips' scalar
    products where these are fewer, in double precision.

    Args:
        components (int): Most components that are kept: at most a third of the clips of the bank,
            but 2, and none in which the clips do not differ.
        power (float): Power of σ, 0 to 1.

    Attributes:
        mean (Tensor): Mean of the bank, (C, ), float64, once fitted.
        projection (Tensor): Directions, divided, (C, K), float64, once fitted.
    """

    mean: Tensor
    projection: Tensor

    def __init__(self, components: int = 100, power: float = 0.5) -> None:
        if components < 2:
            raise ValueError(f'components={components} must be 2 or more.')
        if not 0 <= power <= 1:
            raise ValueError(f'power={power} must lie between 0 and 1.')
        self.components = components
        self.power = power

    def fit(self, bank: Tensor) -> 'HalfWhitening':
        """Find the components of features (N, C); a ValueError for fewer than two clips, or where
        one is not finite."""
        from scipy.linalg import eigh

        N, C = bank.shape
        if N < 2:
            raise ValueError(f'HalfWhitening needs two clips or more in the bank, got {N}.')
        self.mean = sum(part.double().sum(dim=0) for part in bank.split(_ROWS)) / N
        if N <= C:
            centered = bank.double() - self.mean
            products = centered @ centered.t() / N  # (N, N)
        else:
            parts = (part.double() - self.mean for part in bank.split(_ROWS))
            products = sum(part.t() @ part for part in parts) / N  # (C, C)
        if not products.isfinite().all():
            raise ValueError(
                'The bank has features that are not finite: the weights are spoilt, or a clip is.'
            )
        size = len(products)
        wanted = min(self.components, max(N // 3, 2), size)
        values, vectors = eigh(products.cpu().numpy(), subset_by_index=[size - wanted, size - 1])
        variance = torch.from_numpy(values).to(bank.device).flip(0)  # the largest first
        directions = torch.from_numpy(vectors).to(bank.device).flip(1)
        differs = variance > _NOTHING * variance[0].clamp(min=_NOTHING)
        variance, directions = variance[differs], directions[:, differs]
        if N <= C:
            directions = centered.t() @ directions / (N * variance).sqrt()
        self.projection = directions / variance.sqrt() ** self.power
        return self

    def transform(self, features: Tensor) -> Tensor:
        """Half-whitened components (N, K) of features (N, C), of the features' precision."""
        if not hasattr(self, 'projection'):
            raise ValueError('HalfWhitening has seen no bank: call fit(bank) before transform.')
        if features.shape[1] != len(self.mean):
            raise ValueError(
                f'HalfWhitening was fitted to features of {len(self.mean)} numbers and got '
                f'{features.shape[1]}.'
            )
        mean, projection = (x.to(features.device) for x in (self.mean, self.projection))
        parts = [(part.double() - mean) @ projection for part in features.split(_ROWS)]
        return torch.cat(parts).to(features.dtype)
