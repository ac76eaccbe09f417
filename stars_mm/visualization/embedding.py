"""t-SNE pictures of sequence features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from stars_mm.visualization.style import class_style, new_figure, report_style

# More points than this hide each other and take minutes to place.
MAX_POINTS = 2000


@dataclass
class FeaturePanel:
    """Features of one encoder for one panel of the picture.

    Attributes:
        title (str): Heading of the panel.
        features (np.ndarray): (N, C).
    """

    title: str
    features: np.ndarray


def tsne(features: np.ndarray, seed: int = 0, perplexity: float = 30.0) -> np.ndarray:
    """Place features in the plane by t-SNE on their cosine geometry.

    On unit vectors the squared Euclidean distance is twice the cosine distance, so normalised
    features with the default metric show what a cosine nearest-neighbour classifier sees.

    Args:
        features (np.ndarray): (N, C), N >= 4.
        seed (int): Seed of the optimisation.
        perplexity (float): Lowered where N is too small for it.

    Returns:
        np.ndarray: (N, 2), no unit.

    Raises:
        ValueError: Too few features, or features that are not finite.
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


def pick_points(count: int, seed: int, limit: int = MAX_POINTS) -> np.ndarray:
    """Indices of the samples to draw: all, or a seeded choice of ``limit``.

    Args:
        count (int): Number of samples.
        seed (int): Seed of the choice.
        limit (int): Most samples to keep.

    Returns:
        np.ndarray: Sorted indices.
    """
    if count <= limit:
        return np.arange(count)
    chosen = np.random.default_rng(seed).choice(count, limit, replace=False)
    return np.sort(chosen)


def plot_tsne(
    panels: Sequence[FeaturePanel],
    labels: np.ndarray,
    path: str | Path,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
) -> None:
    """Draw the same clips as several encoders see them, coloured by class.

    Args:
        panels (sequence[FeaturePanel]): One panel an encoder, same clips.
        labels (np.ndarray): (N,) class of each clip.
        path (str or Path): The PNG to write.
        class_names (sequence[str], optional): Names for the legend; class numbers where left out.
        seed (int): Seed of t-SNE and of the choice of clips.
    """
    labels = np.asarray(labels)
    kept = pick_points(len(labels), seed)
    classes = np.unique(labels)
    columns = min(len(classes), 7 if len(panels) > 1 else 3)
    rows = -(-len(classes) // columns)
    size = (4.1 * len(panels), 4.7 + 0.22 * rows)
    with report_style():
        figure, (axes,) = new_figure(1, len(panels), figsize=size)
        for axis, panel in zip(axes, panels):
            points = tsne(np.asarray(panel.features)[kept], seed)
            _scatter(axis, points, labels[kept], classes, class_names)
            axis.set_title(panel.title)
        axes[0].set_ylabel('t-SNE axis 2 (no unit)')
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(
            handles,
            names,
            loc='outside lower center',
            ncols=columns,
            fontsize=8.5,
            handletextpad=0.1,
            columnspacing=1.0,
        )
        figure.savefig(path, dpi=110, bbox_inches='tight')


def _scatter(
    axis, points: np.ndarray, labels: np.ndarray, classes: np.ndarray, names: Sequence[str] | None
) -> None:
    """One panel: a colour and a marker for every class."""
    for index, label in enumerate(classes):
        colour, marker = class_style(index)
        chosen = points[labels == label]
        name = names[label] if names is not None and label < len(names) else f'class {label}'
        axis.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=22,
            c=colour,
            marker=marker,
            linewidths=0,
            alpha=0.85,
            label=name,
        )
    axis.set(xticks=[], yticks=[], xlabel='t-SNE axis 1 (no unit)')
    axis.spines[:].set(visible=True, color='#BBBBBB')
    axis.set_box_aspect(1)
