"""What decides whether contrastive tuning pays: plans and sums up a study."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor


@dataclass(frozen=True)
class Start:
    """An encoder from which stage 2 starts.

    Attributes:
        seed (int): Seed of its stage 1 and of the draw of its clips.
        fraction (float): Share of the training clips that it has seen.
        progress (float): Share of stage 1's schedule behind it.
    """

    seed: int
    fraction: float
    progress: float

    @property
    def name(self) -> str:
        """str: Name of its folder."""
        return f'data-{self.fraction:g}_seed-{self.seed}'

    def __str__(self) -> str:
        return f'{self.name}_progress-{self.progress:g}'


def same_iterations(cfg: Config, num_clips: int, fraction: float) -> dict:
    """Options that give a share of the clips the iterations of all of them.

    Args:
        cfg (Config): A stage's config, its schedule in epochs.
        num_clips (int): Clips of the whole training split.
        fraction (float): Share of them that is trained on.

    Returns:
        dict: Options: number of epochs, and the schedulers stretched.

    Raises:
        ValueError: If the share is smaller than a batch.
    """
    batch = cfg.train_dataloader.batch_size
    whole, part = num_clips // batch, round(num_clips * fraction) // batch
    if part == 0:
        raise ValueError(
            f'fraction={fraction} of {num_clips} training clips is less than '
            f'train_dataloader.batch_size={batch}. Take a larger share.'
        )
    stretch = whole / part
    epochs = round(cfg.train_cfg.max_epochs * stretch)
    options = {'train_cfg.max_epochs': epochs}
    for number, scheduler in enumerate(cfg.param_scheduler):
        for key in ('begin', 'end'):
            if math.isfinite(scheduler.get(key, math.inf)):
                options[f'param_scheduler.{number}.{key}'] = round(scheduler[key] * stretch)
    return options


def neighbour_purity(feats: Tensor, labels: Tensor) -> float:
    """Share of samples whose nearest other sample is of the same class.

    Args:
        feats (Tensor): Features, (N, C).
        labels (Tensor): Classes, (N, ).

    Returns:
        float: In percent.
    """
    feats = F.normalize(feats)
    similarity = feats @ feats.t()
    similarity.fill_diagonal_(-torch.inf)
    return 100 * (labels[similarity.argmax(dim=1)] == labels).float().mean().item()


def summary_table(rows: Sequence[dict]) -> str:
    """Markdown table, a line for every config, data share and progress.

    Args:
        rows (sequence[dict]): Results of single runs: ``config``, ``fraction``, ``progress``,
            ``seed``, ``purity``, ``before`` and ``after`` with ``knn_top1`` and ``silhouette``.

    Returns:
        str: The table; mean ± standard deviation over seeds.
    """
    groups = defaultdict(list)
    for row in rows:
        groups[row['config'], row['fraction'], row['progress']].append(row)
    lines = [
        '| stage 2 | training clips | stage 1 done | seeds | neighbour purity '
        '(%) | kNN before (%) | after (%) | gain | silhouette before | after |',
        '|---|---|---|---|---|---|---|---|---|---|',
    ]
    for (config, fraction, progress), runs in sorted(groups.items()):
        cells = [config, f'{fraction:.0%}', f'{progress:.0%}', str(len(runs))]
        cells += [
            _spread([run['purity'] for run in runs], 1),
            _spread([run['before']['knn_top1'] for run in runs], 1),
            _spread([run['after']['knn_top1'] for run in runs], 1),
            _spread([gain(run) for run in runs], 1, sign='+'),
            _spread([run['before']['silhouette'] for run in runs], 3),
            _spread([run['after']['silhouette'] for run in runs], 3),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def gain(run: dict) -> float:
    """Points of kNN accuracy that tuning added to a run."""
    return run['after']['knn_top1'] - run['before']['knn_top1']


def _spread(values: Sequence[float], digits: int, sign: str = '') -> str:
    text = f'{np.mean(values):{sign}.{digits}f}'
    if len(values) > 1:
        text += f' ± {np.std(values, ddof=1):.{digits}f}'
    return text
