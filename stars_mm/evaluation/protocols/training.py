"""The protocols that train: linear, finetune, semi-supervised, transfer.

Each training runs in a process of its own and is left in its work directory;
a second call reads what is there.
"""

import math
import os.path as osp
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Union

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope

from stars_mm.datasets.clip_selection import read_subset
from stars_mm.datasets.label_subsets import write_subsets
from stars_mm.engine.runner.stages import is_finished
from stars_mm.evaluation.protocols.launch import run_tool
from stars_mm.evaluation.protocols.record import METRIC, TrainingRecord, identify, read_accuracies
from stars_mm.evaluation.stages import last_checkpoint
from stars_mm.utils.checkpoint import check_checkpoint, load_state

PathLike = Union[str, Path]


def run_training(
    config_path: PathLike,
    checkpoint: PathLike,
    work_dir: PathLike,
    seed: int = 0,
    options: dict | None = None,
    num_processes: int = 1,
) -> dict:
    """Train a benchmark config from an encoder, and say how good it became.

    A training that is finished is not repeated; one that was interrupted goes
    on. The total batch is the config's (``auto_scale_lr.base_batch_size``)
    whatever the number of processes, unless ``options`` set a batch size.

    Args:
        config_path (str or Path): Config of the benchmark.
        checkpoint (str or Path): Checkpoint of MAMP or STARS.
        work_dir (str or Path): Folder of this training and no other.
        seed (int): Seed of the training.
        options (dict, optional): Settings that replace those of the config, by dotted names.
        num_processes (int): Processes (GPUs) on this machine.

    Returns:
        dict: ``accuracy`` (percent) of the last ``epoch``, ``best_of_test``
        (``accuracy`` and ``epoch`` of the best validation, which looks at
        the test labels and is no result), ``seconds`` of training, ``seed``,
        ``batch_size`` (in all), ``config``, ``checkpoint``, ``work_dir``.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the encoder does not fit, or another training lies in ``work_dir``.
        RuntimeError: If the training fails.
    """
    cfg = _load_config(config_path, options, num_processes)
    _check_encoder(cfg, str(checkpoint))
    work_dir = Path(work_dir)
    batch_size = cfg.train_dataloader.batch_size * num_processes
    record = TrainingRecord(work_dir, identify(cfg, str(checkpoint), seed, batch_size))
    if record.result is None:
        record.save()
        cfg.load_from = osp.abspath(checkpoint)
        _train(cfg, work_dir, seed, num_processes, record)
        record.result = _read_result(cfg, work_dir)
        record.save()
    return dict(
        record.result,
        seconds=round(record.seconds, 1),
        seed=seed,
        batch_size=batch_size,
        config=str(config_path),
        checkpoint=str(checkpoint),
        work_dir=str(work_dir),
    )


def run_semi(
    config: PathLike,
    checkpoint: PathLike,
    work_dir: PathLike,
    percent: float,
    draws: int = 5,
    seed: int = 0,
    balanced: bool = False,
    options: dict | None = None,
    num_processes: int = 1,
) -> dict:
    """Finetune on several random label subsets.

    Draw d takes the clips of ``draw_subset(…, seed, draw=d)`` and trains with seed ``seed + d``.
    Where a subset holds less than a batch, the batch is the subset.

    Args:
        config (str or Path): Config of the benchmark.
        checkpoint (str or Path): Checkpoint of MAMP or STARS.
        work_dir (str or Path): Folder of all draws; the index files go to its ``subsets/``.
        percent (float): Share of the training split.
        draws (int): Number of subsets.
        seed (int): Seed of the draws.
        balanced (bool): Whether all classes are drawn equally often.
        options (dict, optional): As for :func:`run_training`.
        num_processes (int): As for :func:`run_training`.

    Returns:
        dict: ``accuracy`` (percent, mean over draws) and ``std`` (None for
        one draw), ``runs`` (that of each draw), ``percent``, ``num_clips``,
        ``draws``, ``seed``, ``balanced``, and as for :func:`run_training`.
    """
    cfg = _load_config(config, options, num_processes)
    _check_encoder(cfg, str(checkpoint))
    dataset = cfg.train_dataloader.dataset
    if dataset.type != 'SkeletonDataset':
        raise ValueError(
            f'{config}: train_dataloader.dataset.type={dataset.type!r} takes '
            'no label subset. Use SkeletonDataset.'
        )
    work_dir = Path(work_dir)
    ann_file = osp.join(dataset.get('data_root') or '', dataset.ann_file)
    subsets = write_subsets(
        ann_file, dataset.split, str(work_dir / 'subsets'), percent, draws, seed, balanced
    )
    num_clips = len(read_subset(subsets[0]))
    options = dict(options or {})
    batch_size = cfg.train_dataloader.batch_size
    if num_clips < batch_size * num_processes:
        batch_size = num_clips // num_processes
        print_log(f'{percent:g} % are {num_clips} clips, which make one batch', logger='current')
    if batch_size < 2:  # batch norm
        raise ValueError(
            f'percent={percent:g} of {ann_file}, split {dataset.split!r}, are '
            f'{num_clips} clips, and each of {num_processes} processes needs '
            'at least 2. Ask for more.'
        )
    options['train_dataloader.batch_size'] = batch_size
    runs = []
    for draw, subset in enumerate(subsets):
        options['train_dataloader.dataset.subset'] = osp.abspath(subset)
        name = Path(subset).stem.split(f'{dataset.split}_')[-1]
        runs.append(
            run_training(config, checkpoint, work_dir / name, seed + draw, options, num_processes)
        )
    summary = dict(
        summarise(runs),
        percent=percent,
        num_clips=num_clips,
        draws=draws,
        seed=seed,
        balanced=balanced,
    )
    _tell(f'semi-supervised, {percent:g} %', summary)
    return summary


def run_transfer(
    config: PathLike,
    checkpoint: PathLike,
    work_dir: PathLike,
    seed: int = 0,
    draws: int = 1,
    options: dict | None = None,
    num_processes: int = 1,
) -> dict:
    """Finetune on other data than the encoder is from, once or several times.

    Args:
        config (str or Path): Config of the benchmark.
        checkpoint (str or Path): Checkpoint of MAMP or STARS.
        work_dir (str or Path): Folder of all trainings.
        seed (int): Seed of the first; the others count on.
        draws (int): Number of trainings.
        options (dict, optional): As for :func:`run_training`.
        num_processes (int): As for :func:`run_training`.

    Returns:
        dict: As :func:`run_semi` gives, without what is about subsets.
    """
    if draws < 1:
        raise ValueError(f'draws={draws} must be 1 or more.')
    runs = [
        run_training(config, checkpoint, Path(work_dir) / f'seed{own}', own, options, num_processes)
        for own in range(seed, seed + draws)
    ]
    summary = dict(summarise(runs), draws=draws, seed=seed)
    _tell('transfer', summary)
    return summary


def summarise(runs: list[dict]) -> dict:
    """Mean and spread of trainings that differ in their draws alone.

    Args:
        runs (list[dict]): What :func:`run_training` gave of each.

    Returns:
        dict: ``accuracy`` and ``std`` (of the sample; None for one run), ``best_of_test``,
        ``epoch``, ``seconds`` in all, ``batch_size``, ``config``, ``checkpoint``, ``runs``.
    """
    accuracies = [run['accuracy'] for run in runs]
    best = [run['best_of_test']['accuracy'] for run in runs]
    return dict(
        accuracy=mean(accuracies),
        std=stdev(accuracies) if len(runs) > 1 else None,
        best_of_test=dict(accuracy=mean(best), epoch=None),
        epoch=runs[0]['epoch'],
        seconds=round(math.fsum(run['seconds'] for run in runs), 1),
        batch_size=runs[0]['batch_size'],
        config=runs[0]['config'],
        checkpoint=runs[0]['checkpoint'],
        runs=runs,
    )


def _load_config(path: PathLike, options: dict | None, num_processes: int) -> Config:
    cfg = Config.fromfile(str(path))
    cfg.merge_from_dict(dict(options or {}))
    for key in ('train_dataloader', 'val_dataloader', 'val_evaluator'):
        if cfg.get(key) is None:
            raise ValueError(
                f'{path} has no {key}, and a benchmark needs it. Give one of configs/benchmarks/.'
            )
    total = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    if total is None or 'train_dataloader.batch_size' in (options or {}):
        return cfg
    if num_processes < 1 or total % num_processes:
        raise ValueError(
            f'num_processes={num_processes} does not divide the batch of '
            f'{path}, auto_scale_lr.base_batch_size={total}. Choose another '
            'number.'
        )
    cfg.train_dataloader.batch_size = total // num_processes
    return cfg


def _check_encoder(cfg: Config, checkpoint: str) -> None:
    """Refuse an unfit checkpoint before a process is started."""
    if not osp.isfile(checkpoint):
        raise FileNotFoundError(f'{checkpoint}: there is no such checkpoint.')
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
    check_checkpoint(load_state(checkpoint), model, checkpoint)


def _train(
    cfg: Config, work_dir: Path, seed: int, num_processes: int, record: TrainingRecord
) -> None:
    """Train what is left of it, and add the time to the record."""
    done = last_checkpoint(work_dir)
    if done is not None and is_finished(cfg, str(done)):
        return
    path = work_dir / 'config' / osp.basename(cfg.filename)
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)
    log = work_dir / 'train.out'
    print_log(f'Training {path.stem}, seed {seed}: see {log}', logger='current')
    begin = time.monotonic()
    try:
        run_tool(
            'train.py',
            [str(path), '--work-dir', str(work_dir), '--seed', str(seed), '--resume'],
            log,
            num_processes,
        )
    finally:
        record.seconds += time.monotonic() - begin
        record.save()


def _read_result(cfg: Config, work_dir: Path) -> dict:
    """Accuracy of the last epoch, and of the best as an extra."""
    train_cfg = cfg.train_cfg
    last = train_cfg.get('max_epochs') or train_cfg.get('max_iters')
    found = read_accuracies(work_dir, '*/vis_data/scalars.json')
    if last not in found:  # interrupted between checkpoint and validation
        checkpoint = last_checkpoint(work_dir)
        test_dir = work_dir / 'test'
        run_tool(
            'test.py',
            [
                str(work_dir / 'config' / osp.basename(cfg.filename)),
                str(checkpoint),
                '--work-dir',
                str(test_dir),
            ],
            work_dir / 'test.out',
        )
        tested = read_accuracies(test_dir, '2*/2*.json')
        if not tested:
            raise RuntimeError(
                f'{work_dir}: neither training nor test logged "{METRIC}". '
                "val_evaluator needs mmaction2's AccMetric."
            )
        (found[last],) = tested.values()  # of a test, no epoch is logged
    best = max(found, key=found.get)
    return dict(
        accuracy=found[last], epoch=last, best_of_test=dict(accuracy=found[best], epoch=best)
    )


def _tell(name: str, summary: dict) -> None:
    std = summary['std']
    spread = '' if std is None else f' ± {std:.1f}'
    print_log(
        f'{name}: {summary["accuracy"]:.1f}{spread} % (mean of {summary["draws"]}, last epoch)',
        logger='current',
    )
