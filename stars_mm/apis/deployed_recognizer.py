import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stars_mm.apis.deployed_encoder import DeployedEncoder
from stars_mm.apis.few_shot_recognizer import FewShotRecognizer
from stars_mm.evaluation.functional.feature_space import CLIP_PARTS
from stars_mm.evaluation.functional.mutual_neighbors import POWER, WEIGHT, K
from stars_mm.evaluation.part_features import measure_clips
from stars_mm.preparation.layouts import SkeletonLayout


class DeployedRecognizer(DeployedEncoder):
    """A :class:`FewShotRecognizer` with its encoder and all that is done to a clip before it: raw
    coordinates in, classes out; see :class:`DeployedEncoder`.

    Args:
        recognizer (FewShotRecognizer): One that has learned.
        layout (SkeletonLayout): Joints and unit of the coordinates that go in.
        coordinates (int, optional): C of them.
    """

    outputs = ('label', 'scores', 'similarity', 'known', 'feature')

    def __init__(
        self, recognizer: FewShotRecognizer, layout: SkeletonLayout, coordinates: int | None = None
    ) -> None:
        super().__init__(recognizer.encode.encoder, layout, coordinates)
        self.whitenings = nn.ModuleDict(
            {
                part: Whitening(whitening.mean, whitening.projection)
                for part, whitening in recognizer.space.whitenings.items()
            }
        )
        self.pull = None
        if recognizer.unlabeled is not None:
            self.pull = Pull(torch.cat([recognizer.features, recognizer.unlabeled]))
        self.register_buffer('examples', recognizer.compared.clone())
        self.classifier = recognizer.classifier
        self.threshold = recognizer.threshold

    def forward(self, keypoint: Tensor) -> tuple[Tensor, ...]:
        """What is seen in clips, see :meth:`DeployedEncoder.forward`.

        Returns:
            tuple[Tensor, ...]: The number of the class with the highest score (N, ) int64; scores
            (N, classes); similarity to the nearest example (N, ); whether that is enough for a
            known class (N, ) bool; the published feature (N, C′).
        """
        clips = self.clips(keypoint)
        parts = self.parts(clips)
        parts.update(measure_clips(clips, [p for p in self.whitenings if p in CLIP_PARTS]))
        blocks = [whitening(parts[part]) for part, whitening in self.whitenings.items()]
        query = F.normalize(torch.cat(blocks, dim=1))
        if self.pull is not None:
            query = self.pull(query)
        scores = self.classifier(query)
        similarity = (query @ self.examples.t()).amax(dim=1)
        known = similarity >= self.threshold
        return scores.argmax(dim=1), scores, similarity, known, parts['published']


class Whitening(nn.Module):
    """A fitted :class:`HalfWhitening` in single precision, its result of unit length."""

    def __init__(self, mean: Tensor, projection: Tensor) -> None:
        super().__init__()
        self.register_buffer('mean', mean.float())
        self.register_buffer('projection', projection.float())

    def forward(self, part: Tensor) -> Tensor:
        """(N, …) → (N, K)."""
        return F.normalize((part.flatten(1) - self.mean) @ self.projection)


class Pull(nn.Module):
    """:func:`pull_to_mutual_neighbors` of queries, the bank (B, K) being known."""

    def __init__(self, bank: Tensor) -> None:
        super().__init__()
        bank = F.normalize(bank)
        self.k = min(K, len(bank) - 1)
        near = (bank @ bank.t()).fill_diagonal_(-2)
        self.register_buffer('bank', bank)
        self.register_buffer('reach', near.topk(self.k).values[:, -1])

    def forward(self, query: Tensor) -> Tensor:
        """(N, K) → (N, K)."""
        near, places = (query @ self.bank.t()).topk(self.k)
        weights = near.clamp(min=0) ** POWER * (near >= self.reach[places])
        weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
        return F.normalize(query + WEIGHT * (weights[..., None] * self.bank[places]).sum(dim=1))
