"""t-SNE pictures of sequence features."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from stars_mm.evaluation.functional import nearest_neighbors
from stars_mm.visualization.style import class_style, new_figure, report_style

# More points than this hide each other and take minutes to place.
MAX_POINTS = 2000


def tsne(features: np.ndarray, seed: int = 0, perplexity: float = 30.0) -> np.ndarray:
    """Place features in the plane by t-SNE on their cosine geometry.

    On unit vectors the squared Euclidean distance is twice the cosine distance, so normalised
    features (N, C) with the default metric show what a cosine nearest-neighbor classifier sees. The
    places (N, 2) have no unit. A ValueError if there are fewer than 4, or some are not finite.
    """
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or len(features) < 4:
        raise ValueError(f't-SNE needs at least 4 features as (N, C), got shape {features.shape}')
    if not np.isfinite(features).all():
        raise ValueError('features for t-SNE hold NaN or infinity')
    perplexity = min(perplexity, (len(features) - 1) / 3)
    solver = TSNE(2, perplexity=perplexity, init='pca', random_state=seed)
    # Threads that wait for each other make this many times slower where the
    # machine is busy, and gain little with so few points.
    with threadpool_limits(limits=1):
        return solver.fit_transform(normalize(features))


def map_places(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """Places (N, 2) of all features (N, C): ``MAX_POINTS`` of them by :func:`tsne`, the others at
    the mean of their five nearest (by cosine) among those. Features that are too few for t-SNE are
    placed by their first two principal components."""
    count = len(features)
    if count < 4:
        centered = features - features.mean(0)
        axes = np.linalg.svd(centered, full_matrices=False)[2][:2]
        return np.pad(centered @ axes.T, ((0, 0), (0, 2 - len(axes))))
    picked = pick_points(count, seed)
    placed = tsne(features[picked], seed)
    if len(picked) == count:
        return placed
    index = nearest_neighbors(torch.from_numpy(features[picked]), torch.from_numpy(features), 5)[1]
    places = placed[index.numpy()].mean(axis=1)
    places[picked] = placed
    return places


def pick_points(count: int, seed: int, limit: int = MAX_POINTS) -> np.ndarray:
    """Sorted indices of the samples to draw: all, or a seeded choice of ``limit``."""
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))


def plot_tsne(
    panels: Mapping[str, np.ndarray], labels: np.ndarray, path: str | Path, names: Mapping[int, str]
) -> None:
    """Draw the same clips as several encoders see them, heading → places (N, 2) of
    :func:`map_places`, colored by class (N,); ``names`` are the classes' in the legend."""
    columns = min(len(names), 7 if len(panels) > 1 else 3)
    rows = -(-len(names) // columns)
    size = (4.1 * len(panels), 4.7 + 0.22 * rows)
    with report_style():
        figure, (axes,) = new_figure(1, len(panels), figsize=size)
        for axis, (title, places) in zip(axes, panels.items()):
            _scatter(axis, places, labels, names)
            axis.set_title(title)
        axes[0].set_ylabel('t-SNE axis 2 (no unit)')
        style = dict(fontsize=8.5, handletextpad=0.1, columnspacing=1.0)
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc='outside lower center', ncols=columns, **style)
        figure.savefig(path, dpi=110, bbox_inches='tight')


def _scatter(axis, points: np.ndarray, labels: np.ndarray, names: Mapping[int, str]) -> None:
    """One panel: a color and a marker for every class."""
    for index, (label, name) in enumerate(names.items()):
        color, marker = class_style(index)
        style = dict(c=color, marker=marker, s=22, linewidths=0, alpha=0.85)
        axis.scatter(*points[labels == label].T, **style, label=name)
    axis.set(xticks=[], yticks=[], xlabel='t-SNE axis 1 (no unit)')
    axis.spines[:].set(visible=True, color='#BBBBBB')
    axis.set_box_aspect(1)
