from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stars_mm.preparation.clip_faults import MOST_CLASSES
from stars_mm.utils.input_error import InputError


@dataclass
class ClassScores:
    """What one stream's model says of the clips of a test set: their N names, scores (N, K) of the
    classes, the larger the likelier, and true classes (N, ). ``source`` says where they are from.
    """

    names: list[str]
    scores: Tensor
    labels: Tensor
    source: str

    def __post_init__(self) -> None:
        N, K = self.scores.shape
        if not N == len(self.names) == len(self.labels):
            counts = f'{N} scores, {len(self.names)} names and {len(self.labels)} labels'
            raise InputError(self.source, f'{counts}; the three belong to the same clips')
        name, count = max(Counter(self.names).items(), key=lambda item: item[1], default=('', 0))
        if count > 1:
            problem = f'clip "{name}" occurs {count} times; a clip may have one score'
            raise InputError(self.source, problem)
        row = _first(~self.scores.isfinite().all(dim=1))
        if row is not None:
            problem = f'the scores of clip "{self.names[row]}" are not finite'
            raise InputError(self.source, problem)
        row = _first((self.labels < 0) | (self.labels >= K))
        if row is not None:
            label = f'clip "{self.names[row]}" is of class {int(self.labels[row])}'
            raise InputError(
                self.source, f'{label}, and there are scores of the classes 0 to {K - 1}'
            )


def _first(wrong: Tensor) -> int | None:
    """Place of the first that is wrong."""
    places = wrong.nonzero()
    return int(places[0]) if len(places) else None


def fuse(
    streams: Sequence[ClassScores], weights: Sequence[float] | None = None, softmax: bool = False
) -> ClassScores:
    """Weighted sum of several streams' scores of the same clips, matched by their names and in the
    order of the first stream; with ``softmax`` of probabilities.

    Raises:
        ValueError: If clips, numbers of classes or labels differ.
    """
    weights = [1.0] * len(streams) if weights is None else list(weights)
    if len(weights) != len(streams):
        raise ValueError(
            f'{len(weights)} weights {weights} for {len(streams)} score files; give one for each.'
        )
    first = streams[0]
    total = torch.zeros_like(first.scores, dtype=torch.float64)
    for stream, weight in zip(streams, weights):
        _check_same_clips(first, stream)
        place = {name: row for row, name in enumerate(stream.names)}
        order = torch.tensor([place[name] for name in first.names])
        row = _first(stream.labels[order] != first.labels)
        if row is not None:
            raise ValueError(
                f'Clip "{first.names[row]}" is of class {int(first.labels[row])} in {first.source} '
                f'and of class {int(stream.labels[order][row])} in {stream.source}; these are not '
                'the same data.'
            )
        scores = stream.scores[order].double()
        total += weight * (scores.softmax(dim=1) if softmax else scores)
    source = ' + '.join(f'{weight:g} · {stream.source}' for weight, stream in zip(weights, streams))
    return ClassScores(first.names, total, first.labels, source)


def _check_same_clips(first: ClassScores, other: ClassScores) -> None:
    K, other_K = first.scores.shape[1], other.scores.shape[1]
    if K != other_K:
        raise ValueError(
            f'{first.source} has scores of {K} classes, {other.source} of {other_K}; fuse models '
            'of the same classes.'
        )
    for a, b in ((first, other), (other, first)):
        lacking = sorted(set(a.names) - set(b.names))
        if lacking:
            raise ValueError(
                f'{b.source} lacks {len(lacking)} of the {len(a.names)} clips of {a.source}, such '
                f'as "{lacking[0]}"; all files must be of the same test split.'
            )


def accuracies(scores: ClassScores) -> dict[str, float]:
    """Accuracy of scores, in percent: ``top1``, ``top5`` (where K > 5) and ``mean_class``, the mean
    over the classes that occur of each one's top 1."""
    ranking = scores.scores.argsort(dim=1, descending=True, stable=True)
    hits = (ranking == scores.labels[:, None]).double()  # (N, K)
    first = hits[:, 0]
    of_class = [first[scores.labels == c].mean() for c in scores.labels.unique()]
    found = dict(top1=first.mean(), top5=hits[:, :5].sum(dim=1).mean())
    if hits.shape[1] <= 5:
        del found['top5']
    found['mean_class'] = torch.stack(of_class).mean()
    return {name: float(value) * 100 for name, value in found.items()}


def nearest_scores(
    bank_feats: Tensor, bank_labels: Tensor, query_feats: Tensor, chunk_size: int = 1024
) -> Tensor:
    """Largest cosine similarity of features (Q, C) to a clip of each class, (Q, K), by a bank of
    features (B, C) and their classes (B, ); K is the largest class + 1, and −1 stands for a class
    without clips. The best class is that of the nearest neighbor."""
    bank = F.normalize(bank_feats.float())
    K = int(bank_labels.max()) + 1
    if K > MOST_CLASSES:
        raise ValueError(f'a clip is of class {K - 1}, and there are at most {MOST_CLASSES}')
    scores = torch.full((len(query_feats), K), -1.0)
    for query, best in zip(query_feats.split(chunk_size), scores.split(chunk_size)):
        similarity = F.normalize(query.float()) @ bank.t()  # (chunk, B)
        best.scatter_reduce_(1, bank_labels.expand(len(query), -1), similarity, 'amax')
    return scores
