"""The scalars that mmengine leaves in a work directory."""

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from stars_mm.utils.input_error import InputError, reading


@dataclass
class TrainingLog:
    """Scalars of one training, over all its interrupted runs: train lines by iteration (from 1),
    and validation lines by the number of finished epochs (or iterations in a loop that counts
    those)."""

    train: dict[int, dict] = field(default_factory=dict)
    val: dict[int, dict] = field(default_factory=dict)

    def train_series(self, key: str) -> tuple[list[int], list[float]]:
        """Iterations, in order, and values of a train scalar such as ``'loss'``."""
        steps = sorted(step for step, line in self.train.items() if key in line)
        return steps, [self.train[step][key] for step in steps]

    def val_series(self, key: str, iters_per_epoch: float = 1) -> tuple[list, list[float]]:
        """Steps, in order, times what one is worth, and values of a validation scalar such as
        ``'knn/top1_k1'``."""
        steps = sorted(step for step, line in self.val.items() if key in line)
        return [step * iters_per_epoch for step in steps], [self.val[step][key] for step in steps]


def read_training_log(work_dir: str | Path) -> TrainingLog:
    """Merge the logs of all runs of one training.

    A resumed run starts again at its checkpoint, so what an earlier run logged from that point on
    is superseded; the same rule makes a fresh run in an old folder replace the old one. A
    FileNotFoundError where no log is there, a ValueError where a line is malformed.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(
            f'{work_dir}: no <timestamp>/vis_data/scalars.json here; a training run writes it'
        )
    log = TrainingLog()
    for path in files:
        lines = read_scalars(path)
        train = [line for line in lines if 'loss' in line]
        if train:
            first = train[0]
            log.train = {s: v for s, v in log.train.items() if s < first['step']}
            start = first.get('epoch', first['step'])
            with reading(path):
                log.val = {s: v for s, v in log.val.items() if s < start}
        log.train.update((line['step'], line) for line in train)
        log.val.update((line['step'], line) for line in lines if 'loss' not in line)
    return log


def read_scalars(path: str | Path) -> list[dict]:
    """Lines of one ``scalars.json``, a JSON object with a whole ``step`` each, else it is an
    InputError. A last line without its newline is what a killed run leaves behind; if it does not
    parse, it is dropped with a warning."""
    with reading(path):
        rows = Path(path).read_text(encoding='utf-8').split('\n')
    lines = []
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            line = json.loads(row)
        except (ValueError, RecursionError) as error:
            if number < len(rows):
                problem = f'is not JSON ({str(error)[:80]}): {row[:80]!r}'
                raise InputError(path, problem, clip=f'line {number}') from None
            text = f'{path}: line {number} is cut off, as an interrupted run leaves it'
            warnings.warn(f'{text}; it is ignored', stacklevel=2)
            continue
        if not isinstance(line, dict) or type(line.get('step')) is not int:
            problem = f'must be a JSON object with a whole number "step", got {row[:80]!r}'
            raise InputError(path, problem, clip=f'line {number}')
        lines.append(line)
    return lines
