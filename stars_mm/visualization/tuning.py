"""The picture of a tuning study."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from stars_mm.evaluation.tuning import gain
from stars_mm.visualization.style import GREY, MARKERS, PALETTE, new_figure, report_style


def plot_tuning(rows: Sequence[dict], path: str | Path) -> None:
    """Draw what tuning gains against iterations and against purity.

    Args:
        rows (sequence[dict]): Results of single runs as ``summary_table``
            takes them, and ``curve``, a list of (iteration, kNN accuracy).
        path (str or Path): The PNG to write.
    """
    configs = list(dict.fromkeys(row['config'] for row in rows))
    with report_style():
        figure, (axes,) = new_figure(1, 2, figsize=(10.5, 4.4))
        _plot_iterations(axes[0], rows, configs)
        _plot_purity(axes[1], rows, configs)
        for axis in axes:
            axis.axhline(0, color=GREY, linewidth=1)
            axis.set_ylabel('gain of kNN by tuning (points)')
        figure.legend(
            handles=_legend(rows, configs), loc='outside lower center', ncols=len(configs)
        )
        figure.savefig(path, dpi=110)


def _legend(rows: Sequence[dict], configs: list[str]) -> list[Line2D]:
    """A colour for each config, a marker for each share of the data."""
    colours = [
        Line2D([], [], color=PALETTE[number % len(PALETTE)], label=config)
        for number, config in enumerate(configs)
    ]
    return colours + [
        Line2D(
            [], [], color=GREY, linestyle='', marker=marker, label=f'{fraction:.0%} of the clips'
        )
        for fraction, marker in _markers(rows).items()
    ]


def _markers(rows: Sequence[dict]) -> dict[float, str]:
    fractions = sorted({row['fraction'] for row in rows}, reverse=True)
    return {fraction: MARKERS[place % len(MARKERS)] for place, fraction in enumerate(fractions)}


def _plot_iterations(axis, rows: Sequence[dict], configs: list[str]) -> None:
    """Mean gain over seeds while stage 2 goes on; whole data, whole stage 1, the others faint."""
    groups = {}
    for row in rows:
        key = row['config'], row['fraction'], row['progress']
        points = [(0, row['before']['knn_top1']), *row['curve']]
        groups.setdefault(key, []).append(points)
    for (config, fraction, progress), runs in groups.items():
        shortest = min(len(points) for points in runs)
        runs = np.array([points[:shortest] for points in runs])  # (S, P, 2)
        gains = runs[:, :, 1] - runs[:, :1, 1]
        whole = fraction == 1 and progress == 1
        axis.plot(
            runs[0, :, 0],
            gains.mean(axis=0),
            color=PALETTE[configs.index(config) % len(PALETTE)],
            linewidth=1.8 if whole else 0.9,
            alpha=1 if whole else 0.45,
            linestyle='-' if progress == 1 else (0, (4, 2)),
        )
    axis.set_xlabel('iteration of stage 2')
    axis.set_title('bold: all clips, whole stage 1; dashed: part of stage 1')


def _plot_purity(axis, rows: Sequence[dict], configs: list[str]) -> None:
    """Every run as a point; colour by config, marker by share of the data."""
    for number, config in enumerate(configs):
        for fraction, marker in _markers(rows).items():
            points = [
                (row['purity'], gain(row))
                for row in rows
                if row['config'] == config and row['fraction'] == fraction
            ]
            if points:
                axis.scatter(
                    *zip(*points), s=34, color=PALETTE[number % len(PALETTE)], marker=marker
                )
    axis.set_xlabel('neighbour purity before tuning (%)')
    axis.set_title('every run')
