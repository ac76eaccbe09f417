from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from stars_mm.models.utils.persons import person_sources


class FrozenCache:
    """What the frozen part of an encoder gives for every clip of a data set.

    Where stage 2 sees the same clip every epoch, its frozen layers do the same work every epoch.
    Here it is done once; :meth:`features` goes on from there. One row is kept for each person that
    is present, row 0 for the absent one; where the whole encoder is frozen, the mean of a person's
    tokens is all that is needed.

    Args:
        backbone (nn.Module): A :class:`SkeletonTransformer`, of which some ``num_frozen_layers``.
        num_persons (Sequence[int]): The most persons that each clip of the data set can hold.
        person_shape (tuple[int, int, int]): Frames, joints and channels of the clips.
        num_slots (int): Slots M of the clips for persons.
        allocate (Callable): Maps the shape and dtype of the rows to a tensor to keep them in.

    Raises:
        ValueError: If no layer is frozen.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_persons: Sequence[int],
        person_shape: tuple[int, int, int],
        num_slots: int,
        allocate: Callable[[tuple[int, ...], torch.dtype], Tensor],
    ) -> None:
        if not backbone.num_frozen_layers:
            raise ValueError(
                'The encoder has no frozen layer to be cached: '
                'set num_trainable_layers or frozen_stages.'
            )
        self.backbone = backbone
        self.num_frozen = backbone.num_frozen_layers
        ends = torch.tensor(num_persons).cumsum(0) + 1
        self.first_row = ends - torch.tensor(num_persons)  # of each clip
        self.capacity = torch.tensor(num_persons)
        self.slots = torch.full((len(num_persons), num_slots), -1)
        device = next(backbone.parameters()).device
        absent = self._begin(torch.zeros(1, *person_shape, device=device))
        shape = (int(ends[-1]), *absent.shape[1:])
        self.rows = allocate(shape, absent.dtype)
        self.rows[0] = absent[0].to(self.rows.device)

    def put(self, x: Tensor, sample_idx: Tensor) -> None:
        """Compute and keep the rows of some clips.

        Args:
            x (Tensor): Clips of shape (N, M, T, V, C).
            sample_idx (Tensor): Their places in the data set, (N, ).

        Raises:
            ValueError: If a clip has more persons than was said.
        """
        N, M = x.shape[:2]
        persons, source = x.flatten(0, 1), person_sources(x)
        own = source.unique()
        own = own[(persons[own] != 0).flatten(1).any(dim=1)]
        tokens = self._begin(persons[own]).to(self.rows.device)
        sample_idx, source, own = sample_idx.cpu(), source.cpu(), own.cpu()
        clip, person = sample_idx[own // M], own % M
        if (person >= self.capacity[clip]).any():
            raise ValueError(
                'A clip has more persons after the pipeline than in the data '
                'set: remove FrozenCacheHook from custom_hooks.'
            )
        rows = torch.zeros(N * M, dtype=torch.long)
        rows[own] = self.first_row[clip] + person
        self.slots[sample_idx] = rows[source].reshape(N, M)
        self.rows[rows[own].to(self.rows.device)] = tokens

    def features(self, sample_idx: Tensor) -> Tensor:
        """Sequence features, through the layers that are trained.

        Args:
            sample_idx (Tensor): Places of clips in the data set, (N, ).

        Returns:
            Tensor: Mean over persons, time and joints, (N, C′).
        """
        slots = self.slots[sample_idx.cpu()]  # (N, M)
        rows, inverse = slots.unique(return_inverse=True)
        tokens = self.rows[rows.to(self.rows.device)]
        if sample_idx.is_cuda and not tokens.is_cuda:
            tokens = tokens.pin_memory()
        tokens = tokens.to(sample_idx.device, non_blocking=True)
        tokens = self.backbone.transform(tokens, begin=self.num_frozen)
        persons = tokens.mean(dim=1)  # (S, C′)
        return persons[inverse.to(persons.device)].mean(dim=1)

    @torch.no_grad()
    def _begin(self, persons: Tensor) -> Tensor:
        """The rows of persons (B, T, V, C): (B, L or 1, C′)."""
        tokens = self.backbone.transform(self.backbone.embed(persons), end=self.num_frozen)
        if self.num_frozen > self.backbone.depth:
            return tokens.mean(dim=1, keepdim=True)
        return tokens
