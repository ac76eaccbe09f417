"""The table and the picture of a tuning study.

A row is the result of one run: ``config``, ``fraction``, ``progress``, ``seed``, ``purity``,
``before`` and ``after`` with ``knn_top1`` and ``silhouette``, and ``curve``, a list of
(iteration of stage 2, kNN accuracy).
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from stars_mm.utils.markdown import markdown_table
from stars_mm.visualization.style import GREY, MARKERS, PALETTE, new_figure, report_style

_HEADER = (
    'stage 2|training clips|stage 1 done|seeds|neighbor purity (%)|kNN before (%)|after (%)|gain|'
    'silhouette before|after'
).split('|')


def summary_table(rows: Sequence[dict]) -> str:
    """Markdown table, a line for every config, data share and progress; mean ± standard deviation
    over seeds."""
    groups = defaultdict(list)
    for row in rows:
        groups[row['config'], row['fraction'], row['progress']].append(row)
    lines = []
    for (config, fraction, progress), runs in sorted(groups.items()):
        values = [
            ([run['purity'] for run in runs], '.1f'),
            ([run['before']['knn_top1'] for run in runs], '.1f'),
            ([run['after']['knn_top1'] for run in runs], '.1f'),
            ([gain(run) for run in runs], '+.1f'),
            ([run['before']['silhouette'] for run in runs], '.3f'),
            ([run['after']['silhouette'] for run in runs], '.3f'),
        ]
        cells = [config, f'{fraction:.0%}', f'{progress:.0%}', str(len(runs))]
        lines.append(cells + [_spread(numbers, form) for numbers, form in values])
    return markdown_table([_HEADER, *lines])


def gain(run: dict) -> float:
    """Points of kNN accuracy that tuning added to a run."""
    return run['after']['knn_top1'] - run['before']['knn_top1']


def _spread(values: Sequence[float], form: str) -> str:
    text = f'{np.mean(values):{form}}'
    return f'{text} ± {np.std(values, ddof=1):{form.lstrip("+")}}' if len(values) > 1 else text


def plot_tuning(rows: Sequence[dict], path: str | Path) -> None:
    """Draw what tuning gains in single runs against iterations and against purity."""
    configs = list(dict.fromkeys(row['config'] for row in rows))
    colors = {config: PALETTE[place % len(PALETTE)] for place, config in enumerate(configs)}
    fractions = sorted({row['fraction'] for row in rows}, reverse=True)
    markers = {share: MARKERS[place % len(MARKERS)] for place, share in enumerate(fractions)}
    with report_style():
        figure, (axes,) = new_figure(1, 2, figsize=(10.5, 4.4))
        _plot_iterations(axes[0], rows, colors)
        for row in rows:
            style = dict(color=colors[row['config']], marker=markers[row['fraction']])
            axes[1].scatter(row['purity'], gain(row), s=34, **style)
        axes[1].set_xlabel('neighbor purity before tuning (%)')
        axes[1].set_title('every run')
        for axis in axes:
            axis.axhline(0, color=GREY, linewidth=1)
            axis.set_ylabel('gain of kNN by tuning (points)')
        handles = legend_handles(colors, markers)
        figure.legend(handles=handles, loc='outside lower center', ncols=len(configs))
        figure.savefig(path, dpi=110)


def legend_handles(colors: dict[str, str], markers: dict[float, str]) -> list[Line2D]:
    """A color for each config, a marker for each share of the data."""
    return [Line2D([], [], color=color, label=config) for config, color in colors.items()] + [
        Line2D([], [], color=GREY, linestyle='', marker=marker, label=f'{share:.0%} of the clips')
        for share, marker in markers.items()
    ]


def _plot_iterations(axis, rows: Sequence[dict], colors: dict[str, str]) -> None:
    """Mean gain over seeds while stage 2 goes on; whole data, whole stage 1, the others faint."""
    groups = defaultdict(list)
    for row in rows:
        points = [(0, row['before']['knn_top1']), *row['curve']]
        groups[row['config'], row['fraction'], row['progress']].append(points)
    for (config, fraction, progress), runs in groups.items():
        shortest = min(map(len, runs))
        runs = np.array([points[:shortest] for points in runs])  # (S, P, 2)
        gains = (runs[:, :, 1] - runs[:, :1, 1]).mean(axis=0)
        whole = fraction == 1 and progress == 1
        style = dict(linewidth=1.8, alpha=1) if whole else dict(linewidth=0.9, alpha=0.45)
        dashes = '-' if progress == 1 else (0, (4, 2))
        axis.plot(runs[0, :, 0], gains, color=colors[config], linestyle=dashes, **style)
    axis.set_xlabel('iteration of stage 2')
    axis.set_title('bold: all clips, whole stage 1; dashed: part of stage 1')
