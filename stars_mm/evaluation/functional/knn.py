from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

# Directions are rounded to multiples of 2^-26, a quarter of the spacing of single-precision numbers
# below 1. Times 2^26 they are whole numbers, and a scalar product of two of them stays below 2^53,
# as all its partial sums do: double precision holds them exactly, so neither the order of the sum,
# nor the sizes of the chunks, nor the device can change a similarity.
_GRID = 2.0**26


def nearest_neighbors(
    bank_feats: Tensor,
    query_feats: Tensor,
    k: int,
    chunk_size: int = 1024,
    bank_chunk_size: int = 8192,
    device: str | torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """The nearest neighbors under cosine similarity.

    Exact: all pairs are compared. Memory beyond the features is that of some
    arrays of ``chunk_size`` × ``bank_chunk_size`` numbers, and the result does
    not depend on those two, nor on the device.

    Args:
        bank_feats (Tensor): Features to search, (B, C).
        query_feats (Tensor): Features whose neighbors are wanted, (Q, C); or of W views of each,
            (Q, W, C), of which the most similar one counts.
        k (int): Number of neighbors; a ValueError if it exceeds the bank.
        chunk_size (int), bank_chunk_size (int): Queries, and features of the bank, at a time.
        device (str or torch.device, optional): By default the GPU where there is one.

    Returns:
        tuple[Tensor, Tensor]: Cosine similarities, (Q, k) in double precision,
        the largest first, and the neighbors' places in the bank, (Q, k), both
        on the CPU. Of equally similar ones the first of the bank comes first.
    """
    _check_k((k,), len(bank_feats))
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    similarities, indices = [], []
    for query in _grid_chunks(query_feats, chunk_size, device):
        values = query.new_zeros(len(query), 0)
        index = values.long()
        for start, bank in enumerate(_grid_chunks(bank_feats, bank_chunk_size, device)):
            more, place = _largest(scalar_products(query, bank), k)
            place += start * bank_chunk_size
            # of equal ones those before stay before
            values, order = torch.cat([values, more], 1).sort(dim=1, descending=True, stable=True)
            values = values[:, :k]
            index = torch.cat([index, place], 1).gather(1, order[:, :k])
        similarities.append(values.cpu())
        indices.append(index.cpu())
    return torch.cat(similarities) / _GRID**2, torch.cat(indices)


def knn_predict(
    bank_feats: Tensor,
    bank_labels: Tensor,
    query_feats: Tensor,
    ks: Sequence[int] = (1,),
    temperature: float | None = None,
    **kwargs: Any,
) -> Tensor:
    """Classify by the votes of the nearest neighbors under cosine similarity.

    Ties are decided the same everywhere: of equally similar clips the first of
    the bank is nearer, of classes with equal votes the smallest wins.

    Args:
        bank_feats (Tensor), bank_labels (Tensor): Labelled features, (B, C), and classes, (B, ).
        query_feats (Tensor): Features to classify, (Q, C), or of views, (Q, W, C).
        ks (Sequence[int]): Numbers of neighbors; a ValueError if one exceeds the bank.
        temperature (float, optional): Votes weigh exp(similarity / temperature), if any.
        **kwargs: Sizes of the chunks and device of :func:`nearest_neighbors`.

    Returns:
        Tensor: Predicted classes, (len(ks), Q), on the CPU.
    """
    _check_k(ks, len(bank_feats))
    similarity, index = nearest_neighbors(bank_feats, query_feats, max(ks), **kwargs)
    weights = torch.ones_like(similarity)  # (Q, k)
    if temperature is not None:
        # relative to the nearest, which cannot overflow
        weights = ((similarity - similarity[:, :1]) / temperature).exp()
    labels = bank_labels.cpu()[index]
    votes = weights.new_zeros(len(labels), int(bank_labels.max()) + 1)
    predictions, done = {}, 0
    for k in sorted(set(ks)):
        votes.scatter_add_(1, labels[:, done:k], weights[:, done:k])
        predictions[k] = votes.argmax(dim=1)
        done = k
    return torch.stack([predictions[k] for k in ks])


def knn_accuracy(
    bank_feats: Tensor,
    bank_labels: Tensor,
    query_feats: Tensor,
    query_labels: Tensor,
    ks: Sequence[int] = (1, 2, 5, 10),
    temperature: float | None = None,
    **kwargs: Any,
) -> dict[str, float]:
    """Accuracy of :func:`knn_predict`, which says what the arguments are: ``top1_k{k}`` in
    percent."""
    predictions = knn_predict(bank_feats, bank_labels, query_feats, ks, temperature, **kwargs)
    accuracy = (predictions == query_labels.cpu()).double().mean(dim=1) * 100
    return {f'top1_k{k}': acc for k, acc in zip(ks, accuracy.tolist())}


def scalar_products(query: Tensor, bank: Tensor) -> Tensor:
    """Products (Q, B) of directions (Q, C) with (B, C); of several views (Q, W, C) the largest."""
    products = query @ bank.t()
    return products if query.dim() == 2 else products.amax(dim=1)


def on_grid(feats: Tensor, norms: Tensor | None = None) -> Tensor:
    """Directions of features (…, C), of lengths ``norms`` (…, ), as whole numbers in double
    precision: the L2-normalised features times 2^26, rounded. Their scalar products are exact."""
    norms = _norms(feats) if norms is None else norms
    return (feats.double() / norms[..., None] * _GRID).round()


def _norms(feats: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(feats, dim=-1, dtype=torch.float64)
    return norms.clamp(min=1e-12)


def _grid_chunks(feats: Tensor, size: int, device: str | torch.device) -> Iterator[Tensor]:
    feats = feats.cpu()
    norms = _norms(feats)  # all at once, so that chunks get the same ones
    for part, norm in zip(feats.split(size), norms.split(size)):
        yield on_grid(part.to(device), norm.to(device))


def _largest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row and their places, of equal ones the first."""
    k = min(k, similarity.shape[1])
    values, index = similarity.topk(k, dim=1)
    # topk takes any of those that equal the last
    unclear = (similarity >= values[:, -1:]).sum(dim=1) > k
    if unclear.any():
        order = similarity[unclear].argsort(dim=1, descending=True, stable=True)
        index[unclear] = order[:, :k]
    index = index.sort(dim=1).values
    values, order = similarity.gather(1, index).sort(dim=1, descending=True, stable=True)
    return values, index.gather(1, order)


def _check_k(ks: Sequence[int], bank_size: int) -> None:
    if not 1 <= min(ks) <= max(ks) <= bank_size:
        raise ValueError(
            f'Every k of {tuple(ks)} must lie between 1 and the size of the bank, {bank_size}.'
        )
