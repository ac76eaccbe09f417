"""What is known of a training: of what it is, how long it took, its result."""

import functools
import hashlib
import json
import os
from pathlib import Path

from mmengine.config import Config

from stars_mm.utils.atomic import written_whole
from stars_mm.utils.weights_file import file_sha256

METRIC = 'acc/top1'


class TrainingRecord:
    """The file ``training.json`` in a work directory.

    Args:
        work_dir (Path): Where one training is left.
        identity (dict): What makes it this training and no other.

    Raises:
        ValueError: If another training lies there.
    """

    def __init__(self, work_dir: Path, identity: dict[str, str]) -> None:
        self.path = Path(work_dir) / 'training.json'
        self.seconds = 0.0
        self.result: dict | None = None
        if self.path.is_file():
            self._read(identity)
        elif (Path(work_dir) / 'last_checkpoint').exists():
            raise ValueError(
                f'{work_dir} holds a training that is not of a protocol: it '
                f'has checkpoints, and no {self.path.name}. Choose another '
                'work directory.'
            )
        self.identity = identity

    def save(self) -> None:
        """Write the file whole or not at all."""
        content = dict(identity=self.identity, seconds=self.seconds, result=self.result)
        with written_whole(self.path) as partial:
            partial.write_text(json.dumps(content, indent=2) + '\n')

    def _read(self, identity: dict[str, str]) -> None:
        content = json.loads(self.path.read_text())
        before = content['identity']
        keys = sorted({*before, *identity})
        differing = [key for key in keys if before.get(key) != identity.get(key)]
        if differing:
            raise ValueError(
                f'{self.path.parent} holds a training that differs in '
                f'{differing}. Choose another work directory, or remove this '
                'one.'
            )
        self.seconds, self.result = content['seconds'], content['result']


def identify(cfg: Config, checkpoint: str, seed: int, batch_size: int) -> dict[str, str]:
    """What makes a training the same one, wherever its files lie and however
    many processes share its batch.

    Args:
        cfg (Config): The config with its options.
        checkpoint (str): The encoder.
        seed (int): The seed.
        batch_size (int): Clips of a batch on all processes.

    Returns:
        dict[str, str]: Part → digest or value.
    """
    settings = cfg.to_dict()
    parts = dict(seed=str(seed), checkpoint=file_digest(checkpoint), batch_size=str(batch_size))
    del settings['train_dataloader']['batch_size']
    for key in ('load_from', 'work_dir', 'resume', 'launcher'):
        settings.pop(key, None)
    dataset = settings['train_dataloader']['dataset']
    for key in ('ann_file', 'subset'):
        path = os.path.join(dataset.get('data_root') or '', dataset.get(key) or '')
        if os.path.isfile(path):
            parts[key] = file_digest(path)
    dataset.pop('subset', None)  # the file counts, not where it lies
    text = json.dumps(settings, sort_keys=True, default=str)
    parts['config'] = hashlib.sha256(text.encode()).hexdigest()
    return parts


def file_digest(path: str) -> str:
    """SHA-256 of a file, read anew only where its size or time changed."""
    status = os.stat(path)
    return _digest(os.path.abspath(path), status.st_size, status.st_mtime_ns)


@functools.cache
def _digest(path: str, size: int, time: int) -> str:
    return file_sha256(path)


def read_accuracies(folder: Path, pattern: str) -> dict[int, float]:
    """Top-1 accuracies that mmengine logged.

    Args:
        folder (Path): A work directory.
        pattern (str): Where its JSON lines lie, a glob pattern.

    Returns:
        dict[int, float]: Epoch → percent; the last line counts.
    """
    found = {}
    for path in sorted(folder.glob(pattern)):
        for line in path.read_text().splitlines():
            try:
                values = json.loads(line)
            except json.JSONDecodeError:  # cut off by an interruption
                continue
            if METRIC in values:
                found[values.get('step', 0)] = 100.0 * values[METRIC]
    return found
