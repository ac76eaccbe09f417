"""Training curves."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from stars_mm.evaluation.protocols.training_log import TrainingLog
from stars_mm.visualization.style import GREY, PALETTE, new_figure, report_style

KNN_KEY = 'knn/top1_k1'
_LINES = ((0, (1, 1.5)), (0, (5, 2)), (0, (6, 2, 1, 2)))


def plot_curves(
    stages: Sequence[tuple[str, TrainingLog, float]],
    path: str | Path,
    baselines: dict[str, float] | None = None,
) -> None:
    """Draw loss and kNN accuracy against iterations, a column a stage: its title, log, and
    iterations per validation step. Baselines, kNN accuracy in percent by name, are dashed lines to
    compare with."""
    with report_style():
        size = (4.6 * len(stages), 5.6)
        figure, (losses, knns) = new_figure(2, len(stages), figsize=size, sharex='col')
        for axis, (title, log, _) in zip(losses, stages):
            axis.plot(*log.train_series('loss'), color=PALETTE[0], linewidth=1.4)
            axis.set_title(title)
            axis.margins(x=0.02)
        for axis, (_, log, iters) in zip(knns, stages):
            _plot_knn(axis, log, iters, baselines or {})
        limits = [limit for axis in knns for limit in axis.get_ylim()]
        for axis in knns:  # the widest of their ranges
            axis.set_ylim(min(limits), max(limits))
        losses[0].set_ylabel('training loss')
        knns[0].set_ylabel('kNN accuracy, k = 1 (%)')
        handles, labels = knns[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc='outside lower center', ncols=max(1, len(labels)))
        figure.savefig(path, dpi=110)


def _plot_knn(axis, log: TrainingLog, iters_per_epoch: float, baselines: dict[str, float]) -> None:
    """One stage's kNN accuracy and the lines to compare it with."""
    steps, values = log.val_series(KNN_KEY, iters_per_epoch)
    style = dict(color=PALETTE[1], marker='o', markersize=3.5, linewidth=1.4)
    axis.plot(steps, values, **style, label='kNN in training')
    if not values:
        place = dict(ha='center', va='center', transform=axis.transAxes)
        axis.text(0.5, 0.5, 'no kNN was logged in this stage', color=GREY, **place)
    for number, (name, value) in enumerate(baselines.items()):
        style = dict(linestyle=_LINES[number % len(_LINES)], linewidth=1.1, color='#555555')
        axis.axhline(value, **style, zorder=1, label=name)
    axis.set_xlabel('iteration')
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.margins(x=0.02)
