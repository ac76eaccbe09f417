"""One training of a benchmark config, in processes of its own."""

import json
import os
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from stars_mm.engine.runner.last_checkpoint import is_finished, latest_checkpoint
from stars_mm.evaluation.protocols.cache_key import cache_key, dataset_key, file_digest
from stars_mm.evaluation.protocols.tool_process import run_tool
from stars_mm.evaluation.protocols.training_log import read_training_log
from stars_mm.utils.atomic import write_text
from stars_mm.utils.checkpoint_sources import local_file
from stars_mm.utils.input_error import InputError
from stars_mm.utils.json_file import read_json

_METRIC = 'acc/top1'


def predictions_by_class(cfg: Config, work_dir: Path) -> dict:
    """What a finished training's last checkpoint makes of each test clip, in the format of
    :mod:`~stars_mm.evaluation.functional.class_results`, by a test of its own."""
    path = work_dir / 'predictions.json'
    if not path.is_file():
        _test(cfg, work_dir, '--dump', path)
    found = read_json(path, remedy='Remove it: the test is made again.')
    found.pop('predictions', None)
    return found


def run_training(
    cfg: Config, checkpoint: str | Path, work_dir: Path, seed: int = 0, num_processes: int = 1
) -> dict:
    """Train a benchmark config from a checkpoint of MAMP or STARS, in a folder of its own and on so
    many processes (GPUs) of this machine, and say how good it became.

    A training that is finished is not repeated; one that was interrupted goes on.

    Returns:
        dict: ``accuracy`` (percent) of the last ``epoch``, ``best_of_test``
        (``accuracy`` and ``epoch`` of the best validation, which looks at
        the test labels and is no result), ``seconds`` of training, ``seed``,
        ``batch_size`` (in all), ``config``, ``checkpoint``, ``work_dir``.

    Raises:
        ValueError: If another training lies in ``work_dir``.
        RuntimeError: If the training fails.
    """
    batch_size = cfg.train_dataloader.batch_size * num_processes
    identity = training_identity(cfg, checkpoint, seed, batch_size)
    record = _read_record(work_dir, identity)
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    cfg.load_from = os.path.abspath(local_file(checkpoint))
    if record['result'] is None:
        _write_record(work_dir, record)
        done = latest_checkpoint(str(work_dir))
        if done is None or not is_finished(cfg, done):
            begin = time.monotonic()
            try:
                _train(cfg, work_dir, seed, num_processes)
            finally:
                record['seconds'] += time.monotonic() - begin
                _write_record(work_dir, record)
        record['result'] = _read_result(cfg, work_dir)
        _write_record(work_dir, record)
    return dict(
        record['result'],
        seconds=round(record['seconds'], 1),
        seed=seed,
        batch_size=batch_size,
        config=str(cfg.filename),
        checkpoint=str(checkpoint),
        work_dir=str(work_dir),
    )


def training_identity(
    cfg: Config, checkpoint: str | Path, seed: int, batch_size: int
) -> dict[str, str]:
    """What makes a training the same one, wherever its files lie and however many processes share
    its batch, of ``batch_size`` clips in all."""
    settings = cfg.to_dict()
    for key in ('load_from', 'work_dir', 'resume', 'launcher'):
        settings.pop(key, None)
    loader = settings.pop('train_dataloader')
    del loader['batch_size']
    dataset = dataset_key(loader.pop('dataset'))
    return dict(
        seed=str(seed),
        checkpoint=file_digest(local_file(checkpoint)),
        batch_size=str(batch_size),
        clips=cache_key(dataset),
        config=cache_key(dict(settings, train_dataloader=loader)),
    )


def _read_record(work_dir: Path, identity: dict[str, str]) -> dict:
    """What is known of a training, a new one or the one that lies in the folder."""
    path = work_dir / 'training.json'
    if not path.is_file():
        if (work_dir / 'last_checkpoint').exists():
            raise ValueError(
                f'{work_dir} holds a training that is not of a protocol: it has checkpoints, and '
                f'no {path.name}. Choose another work directory.'
            )
        return dict(identity=identity, seconds=0.0, result=None)
    remedy = 'Choose another work directory, or remove this one.'
    record = read_json(path, remedy=remedy)
    before, seconds, result = (record.get(key) for key in ('identity', 'seconds', 'result'))
    is_time = type(seconds) in (int, float) and 0 <= seconds < 1e12
    if not isinstance(before, dict) or not is_time or not isinstance(result, dict | None):
        raise InputError(path, 'is no record of a training', remedy)
    keys = sorted({*before, *identity})
    differing = [key for key in keys if before.get(key) != identity.get(key)]
    if differing:
        problem = f'holds a training that differs in {differing}, or is of another version'
        raise InputError(work_dir, problem, remedy)
    return dict(identity=before, seconds=float(seconds), result=result)


def _write_record(work_dir: Path, record: dict) -> None:
    write_text(work_dir / 'training.json', json.dumps(record, indent=2) + '\n')


def _config_path(cfg: Config, work_dir: Path) -> Path:
    return work_dir / 'config' / os.path.basename(cfg.filename)


def _train(cfg: Config, work_dir: Path, seed: int, num_processes: int) -> None:
    """Train what is left."""
    config, log = _config_path(cfg, work_dir), work_dir / 'train.out'
    write_text(config, cfg.pretty_text)
    print_log(f'Training {config.stem}, seed {seed}: see {log}', logger='current')
    arguments = [config, '--work-dir', work_dir, '--seed', seed, '--resume']
    run_tool('train.py', arguments, log, num_processes)


def _read_result(cfg: Config, work_dir: Path) -> dict:
    """Accuracy of the last epoch, and of the best as an extra."""
    last = cfg.train_cfg.get('max_epochs') or cfg.train_cfg.get('max_iters')
    found = dict(zip(*read_training_log(work_dir).val_series(_METRIC)))
    if last not in found:  # interrupted between checkpoint and validation
        found[last] = _test(cfg, work_dir)
    best = max(found, key=found.get)
    best_of_test = dict(accuracy=100.0 * found[best], epoch=best)
    return dict(accuracy=100.0 * found[last], epoch=last, best_of_test=best_of_test)


def _test(cfg: Config, work_dir: Path, *options: str | Path) -> float:
    """Accuracy of the last checkpoint, 0 to 1, by a test of its own."""
    folder = work_dir / 'test'
    arguments = [
        _config_path(cfg, work_dir),
        latest_checkpoint(str(work_dir)),
        '--work-dir',
        folder,
        *options,
    ]
    run_tool('test.py', arguments, work_dir / 'test.out')
    found = json.loads(max(folder.glob('2*/2*.json')).read_text())
    if _METRIC not in found:
        raise RuntimeError(
            f'{work_dir}: neither training nor test logged "{_METRIC}". '
            "val_evaluator needs mmaction2's AccMetric."
        )
    return found[_METRIC]
