"""One training of a benchmark config, in processes of its own."""

import json
import os
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from stars_mm.engine.runner.stages import is_finished
from stars_mm.evaluation.protocols.cache_key import cache_key, dataset_key, file_digest
from stars_mm.evaluation.protocols.tool_process import run_tool
from stars_mm.evaluation.protocols.trained_stages import last_checkpoint
from stars_mm.evaluation.protocols.training_log import read_training_log
from stars_mm.utils.atomic import write_text

_METRIC = 'acc/top1'


def run_training(
    cfg: Config, checkpoint: str | Path, work_dir: Path, seed: int = 0, num_processes: int = 1
) -> dict:
    """Train a benchmark config from an encoder, and say how good it became.

    A training that is finished is not repeated; one that was interrupted goes on.

    Args:
        cfg (Config): Config of the benchmark.
        checkpoint (str or Path): Checkpoint of MAMP or STARS.
        work_dir (Path): Folder of this training and no other.
        seed (int), num_processes (int): Of the training, on this machine.

    Returns:
        dict: ``accuracy`` (percent) of the last ``epoch``, ``best_of_test``
        (``accuracy`` and ``epoch`` of the best validation, which looks at
        the test labels and is no result), ``seconds`` of training, ``seed``,
        ``batch_size`` (in all), ``config``, ``checkpoint``, ``work_dir``.

    Raises:
        ValueError: If another training lies in ``work_dir``.
        RuntimeError: If the training fails.
    """
    run = _TrainingRun(cfg, checkpoint, work_dir, seed, num_processes)
    if run.result is None:
        run.save()
        run.train()
        run.result = run.read_result()
        run.save()
    return dict(
        run.result,
        seconds=round(run.seconds, 1),
        seed=seed,
        batch_size=cfg.train_dataloader.batch_size * num_processes,
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
        checkpoint=file_digest(checkpoint),
        batch_size=str(batch_size),
        clips=cache_key(dataset),
        config=cache_key(dict(settings, train_dataloader=loader)),
    )


class _TrainingRun:
    """A training, and its file ``training.json`` in the work directory."""

    def __init__(
        self, cfg: Config, checkpoint: str | Path, work_dir: Path, seed: int, num_processes: int
    ) -> None:
        self.cfg = Config(cfg.to_dict(), filename=cfg.filename)
        self.cfg.load_from = os.path.abspath(checkpoint)
        self.work_dir, self.seed, self.num_processes = work_dir, seed, num_processes
        self.config = work_dir / 'config' / os.path.basename(cfg.filename)
        self.path = work_dir / 'training.json'
        batch_size = cfg.train_dataloader.batch_size * num_processes
        self.identity = training_identity(cfg, checkpoint, seed, batch_size)
        self.seconds: float = 0.0
        self.result: dict | None = None
        if self.path.is_file():
            self._read()
        elif (work_dir / 'last_checkpoint').exists():
            raise ValueError(
                f'{work_dir} holds a training that is not of a protocol: it has checkpoints, and '
                f'no {self.path.name}. Choose another work directory.'
            )

    def _read(self) -> None:
        content = json.loads(self.path.read_text())
        before = content['identity']
        keys = sorted({*before, *self.identity})
        differing = [key for key in keys if before.get(key) != self.identity.get(key)]
        if differing:
            raise ValueError(
                f'{self.work_dir} holds a training that differs in {differing}, or is of another '
                'version. Choose another work directory, or remove this one.'
            )
        self.seconds, self.result = content['seconds'], content['result']

    def save(self) -> None:
        content = dict(identity=self.identity, seconds=self.seconds, result=self.result)
        write_text(self.path, json.dumps(content, indent=2) + '\n')

    def train(self) -> None:
        """Train what is left of it, and count the time."""
        done = last_checkpoint(self.work_dir)
        if done is not None and is_finished(self.cfg, str(done)):
            return
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.cfg.dump(self.config)
        log = self.work_dir / 'train.out'
        name = f'{self.config.stem}, seed {self.seed}'
        print_log(f'Training {name}: see {log}', logger='current')
        arguments = [self.config, '--work-dir', self.work_dir, '--seed', self.seed, '--resume']
        begin = time.monotonic()
        try:
            run_tool('train.py', arguments, log, self.num_processes)
        finally:
            self.seconds += time.monotonic() - begin
            self.save()

    def read_result(self) -> dict:
        """Accuracy of the last epoch, and of the best as an extra."""
        train_cfg = self.cfg.train_cfg
        last = train_cfg.get('max_epochs') or train_cfg.get('max_iters')
        found = dict(zip(*read_training_log(self.work_dir).val_series(_METRIC)))
        if last not in found:  # interrupted between checkpoint and validation
            found[last] = self._test()
        best = max(found, key=found.get)
        accuracies = {epoch: 100.0 * value for epoch, value in found.items()}
        return dict(
            accuracy=accuracies[last],
            epoch=last,
            best_of_test=dict(accuracy=accuracies[best], epoch=best),
        )

    def _test(self) -> float:
        """Accuracy of the last checkpoint, 0 to 1, by a test of its own."""
        folder, checkpoint = self.work_dir / 'test', last_checkpoint(self.work_dir)
        arguments = [self.config, checkpoint, '--work-dir', folder]
        run_tool('test.py', arguments, self.work_dir / 'test.out')
        found = json.loads(max(folder.glob('2*/2*.json')).read_text())
        if _METRIC not in found:
            raise RuntimeError(
                f'{self.work_dir}: neither training nor test logged "{_METRIC}". '
                "val_evaluator needs mmaction2's AccMetric."
            )
        return found[_METRIC]
