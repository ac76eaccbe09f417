from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stars_mm.evaluation.functional.knn import on_grid, scalar_products

#: Class → clips of the bank by their places; n shots are the first n.
Draw = dict[int, list[int]]

_EXAMPLES = 8192  # compared at a time

CLASSIFIERS = ('exemplar', 'mean')


def draw_exemplars(
    labels: Sequence[int],
    names: Sequence[str],
    shots: int,
    episodes: int = 100,
    ways: int | None = None,
    seed: int = 0,
) -> list[Draw]:
    """Draw the labelled examples of few-shot recognition.

    A draw depends on the seed, its number and the clips' names alone: not on
    the order of the clips. The clips drawn of a class depend neither on the
    other classes nor on ``shots``; fewer shots are a part of more.

    Args:
        labels (Sequence[int]): Class of each clip of the bank.
        names (Sequence[str]): Their names.
        shots (int): Examples of a class.
        episodes (int): Number of draws.
        ways (int, optional): Classes of a draw; all of them by default.
        seed (int): Seed of all draws.

    Returns:
        list[dict[int, list[int]]]: For each draw: class → places of its examples in the bank.

    Raises:
        ValueError: If a class has fewer clips than shots, or there are fewer classes than ways.
    """
    of_class: dict[int, list[int]] = {}
    for place in sorted(range(len(names)), key=lambda n: names[n]):
        of_class.setdefault(int(labels[place]), []).append(place)
    scarce = {c: len(own) for c, own in of_class.items() if len(own) < shots}
    if scarce:
        label, count = next(iter(sorted(scarce.items())))
        raise ValueError(
            f'{shots} shots are more than class {label} has: {count} clips. {len(scarce)} of '
            f'{len(of_class)} classes have too few; ask for {min(scarce.values())} shots at most.'
        )
    classes = sorted(of_class)
    if ways is not None and not 2 <= ways <= len(classes):
        raise ValueError(
            f'ways={ways} must lie between 2 and the number of classes, {len(classes)}.'
        )
    draws: list[Draw] = []
    for draw in range(episodes):
        chosen = classes
        if ways is not None:
            order = np.random.default_rng([seed, draw]).permutation(classes)
            chosen = sorted(order[:ways].tolist())
        draws.append({})
        for label in chosen:
            order = np.random.default_rng([seed, draw, label]).permutation(len(of_class[label]))
            draws[-1][label] = [of_class[label][n] for n in order[:shots]]
    return draws


def few_shot_accuracy(
    bank_feats: Tensor,
    query_feats: Tensor,
    query_labels: Tensor,
    draws: Sequence[Draw],
    shots: Sequence[int] = (1, 2, 5),
    classifiers: Sequence[str] = CLASSIFIERS,
    chunk_size: int = 1024,
    device: str | None = None,
) -> dict[tuple[str, int], list[float]]:
    """Accuracy of classifying by a few examples of each class.

    ``'exemplar'`` gives a clip the class of the nearest example, ``'mean'`` that of the nearest
    mean of a class's L2-normalised examples, both under cosine similarity; where classes are
    equally near, the smallest. Exact and the same on all devices, as :func:`nearest_neighbors`.

    Args:
        bank_feats (Tensor): Features that the draws' places point into, (B, C).
        query_feats (Tensor): Features to classify, (Q, C); or of views of each, (Q, views, C), of
            which the most similar one counts.
        query_labels (Tensor): Their true classes, (Q, ). A draw is judged by those of its own.
        draws (Sequence[dict[int, list[int]]]): Examples of each class.
        shots (Sequence[int]): How many of the examples count.
        classifiers (Sequence[str]): Some of 'exemplar' and 'mean'.
        chunk_size (int): Queries compared at a time.
        device (str, optional): Where to compare; the GPU where there is one by default.

    Returns:
        dict: Classifier and number of shots → accuracy of each draw, in percent.
    """
    hits, total = few_shot_hits(
        bank_feats, query_feats, query_labels, draws, shots, classifiers, chunk_size, device
    )
    return {key: (100 * count / total).tolist() for key, count in hits.items()}


def few_shot_hits(
    bank_feats: Tensor,
    query_feats: Tensor,
    query_labels: Tensor,
    draws: Sequence[Draw],
    shots: Sequence[int] = (1, 2, 5),
    classifiers: Sequence[str] = CLASSIFIERS,
    chunk_size: int = 1024,
    device: str | None = None,
) -> tuple[dict[tuple[str, int], Tensor], Tensor]:
    """What :func:`few_shot_accuracy` is the quotient of, which adds up over parts of the query: how
    many clips are recognized in each draw, (draws, ), by classifier and number of shots, and how
    many there are, (draws, )."""
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    bank_feats, query_labels = bank_feats.cpu(), query_labels.cpu()
    keys = [(kind, n) for kind in classifiers for n in shots]
    hits = {key: torch.zeros(len(draws), dtype=torch.float64) for key in keys}
    total = torch.zeros(len(draws), dtype=torch.float64)
    examples = [torch.tensor([draw[label] for label in sorted(draw)]) for draw in draws]  # (W, S)
    drawn = torch.cat([places.flatten() for places in examples]).unique()
    for query, truth in zip(query_feats.split(chunk_size), query_labels.split(chunk_size)):
        query = on_grid(query.cpu()).to(device)
        parts = [on_grid(bank_feats[part]).to(device) for part in drawn.split(_EXAMPLES)]
        to_drawn = torch.cat([scalar_products(query, part) for part in parts], dim=1)
        for number, (draw, places) in enumerate(zip(draws, examples)):
            classes = torch.tensor(sorted(draw))
            asked = torch.isin(truth, classes)
            total[number] += asked.sum()
            own = torch.searchsorted(drawn, places).to(device)
            for kind, n in keys:
                if kind == 'exemplar':
                    similarity = to_drawn[:, own[:, :n]].amax(dim=2)  # (chunk, W)
                else:
                    means = F.normalize(bank_feats[places[:, :n]].double(), dim=2).mean(dim=1)
                    similarity = scalar_products(query, on_grid(means).to(device))
                best = similarity.argmax(dim=1).cpu()
                hits[kind, n][number] += (asked & (classes[best] == truth)).sum()
    return hits, total


def mean_and_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the draws' accuracies and half the width of its 95 % confidence interval by Student's
    t, NaN for a single draw. It says how far the mean may be from that over all draws of the same
    clips, and nothing of another training."""
    from scipy import stats

    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return float(values.mean()), float('nan')
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(error * stats.t.ppf(0.975, len(values) - 1))
