"""Training curves from the logs that mmengine leaves in a work directory."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from stars_mm.visualization.style import GREY, PALETTE, new_figure, report_style

KNN_KEY = 'knn/top1_k1'


@dataclass
class StageLog:
    """Scalars of one training stage, over all its interrupted runs.

    Attributes:
        train (dict[int, dict]): Train lines by iteration (from 1).
        val (dict[int, dict]): Validation lines by ``step``, the number of
            finished epochs (or iterations in a loop that counts those).
    """

    train: dict[int, dict] = field(default_factory=dict)
    val: dict[int, dict] = field(default_factory=dict)

    def train_series(self, key: str) -> tuple[list[int], list[float]]:
        """Iterations and values of a train scalar.

        Args:
            key (str): Name of the scalar, for example ``'loss'``.

        Returns:
            tuple[list[int], list[float]]: Iterations in order, values.
        """
        steps = sorted(s for s, line in self.train.items() if key in line)
        return steps, [self.train[s][key] for s in steps]

    def val_series(self, key: str, iters_per_epoch: float = 1) -> tuple[list, list[float]]:
        """Iterations and values of a validation scalar.

        Args:
            key (str): Name of the scalar, for example ``'knn/top1_k1'``.
            iters_per_epoch (float): What one ``step`` is worth; 1 where the loop counts iterations.

        Returns:
            tuple[list, list[float]]: Iterations in order, values.
        """
        steps = sorted(s for s, line in self.val.items() if key in line)
        return ([s * iters_per_epoch for s in steps], [self.val[s][key] for s in steps])


def read_scalars(path: str | Path) -> list[dict]:
    """Lines of one ``scalars.json``.

    A last line without its newline is what a killed run leaves behind; if
    it does not parse, it is dropped with a warning. Any other line that is
    not a JSON object with a whole ``step`` is an error.

    Args:
        path (str or Path): The file, one JSON object a line.

    Returns:
        list[dict]: The parsed lines in file order.

    Raises:
        ValueError: A malformed line, named by file and line number.
    """
    text = Path(path).read_text(encoding='utf-8')
    rows = text.split('\n')
    lines = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            line = json.loads(row)
        except json.JSONDecodeError as error:
            if number == len(rows):
                warnings.warn(
                    f'{path}: line {number} is cut off, as an '
                    'interrupted run leaves it; it is ignored'
                )
                continue
            raise ValueError(
                f'{path}: line {number} is not JSON ({error.msg}): {row[:80]!r}'
            ) from None
        if not isinstance(line, dict) or not isinstance(line.get('step'), int):
            raise ValueError(
                f'{path}: line {number} must be a JSON object with a whole '
                f'number "step", got {row[:80]!r}'
            )
        lines.append(line)
    return lines


def read_stage_log(work_dir: str | Path) -> StageLog:
    """Merge the logs of all runs of one stage.

    A resumed run starts again at its checkpoint, so what an earlier run logged from that point on
    is superseded; the same rule makes a fresh run in an old folder replace the old one.

    Args:
        work_dir (str or Path): The stage's folder with one
            ``<timestamp>/vis_data/scalars.json`` a run.

    Returns:
        StageLog: The merged scalars.

    Raises:
        FileNotFoundError: No log is there.
        ValueError: A malformed line.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(
            f'{work_dir}: no <timestamp>/vis_data/scalars.json here; a training run writes it'
        )
    log = StageLog()
    for path in files:
        lines = read_scalars(path)
        train = [line for line in lines if 'loss' in line]
        if train:
            first = train[0]
            log.train = {s: v for s, v in log.train.items() if s < first['step']}
            start = first.get('epoch', first['step'])
            log.val = {s: v for s, v in log.val.items() if s < start}
        log.train.update((line['step'], line) for line in train)
        log.val.update((line['step'], line) for line in lines if 'loss' not in line)
    return log


def plot_curves(
    stages: Sequence[tuple[str, StageLog, float]],
    path: str | Path,
    baselines: dict[str, float] | None = None,
) -> None:
    """Draw loss and kNN accuracy against iterations, a column a stage.

    Args:
        stages (sequence[tuple]): Title, log, and iterations per validation
            step of each stage, in order of training.
        path (str or Path): The PNG to write.
        baselines (dict[str, float], optional): kNN accuracy in percent by
            name, drawn as dashed lines for comparison.
    """
    with report_style():
        figure, (losses, knns) = new_figure(
            2, len(stages), figsize=(4.6 * len(stages), 5.6), sharex='col'
        )
        for axis, (title, log, _) in zip(losses, stages):
            steps, values = log.train_series('loss')
            axis.plot(steps, values, color=PALETTE[0], linewidth=1.4)
            axis.set_title(title)
            axis.margins(x=0.02)
        for axis, (_, log, iters) in zip(knns, stages):
            _plot_knn(axis, log, iters, baselines or {})
        _share_range(knns)
        losses[0].set_ylabel('training loss')
        knns[0].set_ylabel('kNN accuracy, k = 1 (%)')
        handles, labels = knns[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc='outside lower center', ncols=max(1, len(labels)))
        figure.savefig(path, dpi=110)


def _plot_knn(axis, log: StageLog, iters_per_epoch: float, baselines: dict[str, float]) -> None:
    """One stage's kNN accuracy and the lines to compare it with."""
    steps, values = log.val_series(KNN_KEY, iters_per_epoch)
    axis.plot(
        steps,
        values,
        color=PALETTE[1],
        marker='o',
        markersize=3.5,
        linewidth=1.4,
        label='kNN in training',
    )
    if not values:
        axis.text(
            0.5,
            0.5,
            'no kNN was logged in this stage',
            ha='center',
            va='center',
            color=GREY,
            transform=axis.transAxes,
        )
    styles = ((0, (1, 1.5)), (0, (5, 2)), (0, (6, 2, 1, 2)))
    for number, (name, value) in enumerate(baselines.items()):
        axis.axhline(
            value,
            color='#555555',
            linewidth=1.1,
            zorder=1,
            linestyle=styles[number % len(styles)],
            label=name,
        )
    axis.set_xlabel('iteration')
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.margins(x=0.02)


def _share_range(axes: Sequence) -> None:
    """Give all axes the widest of their y ranges."""
    low = min(axis.get_ylim()[0] for axis in axes)
    high = max(axis.get_ylim()[1] for axis in axes)
    for axis in axes:
        axis.set_ylim(low, high)
