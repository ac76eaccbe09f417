"""Runs protocols one after another, and repeats none that is finished."""

import json
import time
from difflib import get_close_matches
from pathlib import Path

from mmengine.logging import print_log

from stars_mm.evaluation.protocols.feature_task import Comparison, FeatureTask
from stars_mm.evaluation.protocols.features import digest
from stars_mm.evaluation.protocols.table import hardware, versions, write_json, write_markdown
from stars_mm.evaluation.protocols.task import Settings, Task
from stars_mm.evaluation.protocols.training_task import SEMI, TrainingTask

_BY_FEATURES = ('knn', 'clusters', 'few-shot')
PROTOCOLS = (*_BY_FEATURES, 'linear', 'finetune', 'semi-1', 'semi-10', 'transfer')


def evaluate(names: list[str], settings: Settings, work_dir: Path, out: Path, command: str) -> dict:
    """Evaluate a checkpoint by some protocols.

    Everything that can be found wrong is, before the first protocol starts.
    After each one the table is written, so that an interruption loses nothing
    but the protocol that it interrupts, and a training goes on where it was.

    Args:
        names (list[str]): Protocols.
        settings (Settings): What is asked of all of them.
        work_dir (Path): Where features, trainings and results are kept. A result is read back where
            recipe, checkpoint, clips and settings are the same.
        out (Path): The ``.json`` to write; the Markdown table lies beside it.
        command (str): What the user typed, for the table.

    Returns:
        dict: Protocol → result, and ``meta``.
    """
    tasks = build_tasks(names, settings)
    for task in tasks:
        print_log(f'Checking {task.name}', logger='current')
        task.check()
    results = {}
    meta = _describe(settings, command)
    if settings.baselines and not any(isinstance(task, FeatureTask) for task in tasks):
        meta['comparison'] = _once(Comparison('knn', settings), work_dir)
    for task in tasks:
        results[task.name] = _once(task, work_dir)
        whole = dict(results, meta=meta)
        write_json(out, whole)
        write_markdown(out.with_suffix('.md'), whole)
    return whole


def build_tasks(names: list[str], settings: Settings) -> list[Task]:
    """The tasks of some protocols, each once.

    Args:
        names (list[str]): Some of ``PROTOCOLS``, or ``semi-<percent>``.
        settings (Settings): What is asked of all of them.

    Returns:
        list[Task]: One each, not checked yet.

    Raises:
        ValueError: If there is no such protocol, or no config for it.
    """
    for name in names:
        if name not in PROTOCOLS and not SEMI.fullmatch(name):
            close = get_close_matches(name, PROTOCOLS, n=1)
            hint = f' Did you mean "{close[0]}"?' if close else ''
            raise ValueError(
                f'--protocols: there is no "{name}".{hint} There are '
                f'{", ".join(PROTOCOLS)}, and semi-<percent>.'
            )
    return [
        (FeatureTask if name in _BY_FEATURES else TrainingTask)(name, settings)
        for name in dict.fromkeys(names)
    ]


def _once(task: Task, work_dir: Path) -> dict:
    """Run a task, or read what it left."""
    identity = task.identity()
    kind = 'comparison' if isinstance(task, Comparison) else task.name
    folder = work_dir / f'{kind}_{digest(identity)[:10]}'
    path = folder / 'result.json'
    if path.is_file():
        print_log(f'{kind}: read back from {path}', logger='current')
        return json.loads(path.read_text())
    print_log(f'{kind}: in {folder}', logger='current')
    begin = time.monotonic()
    found = task.run(folder)
    found.setdefault('seconds', round(time.monotonic() - begin, 1))
    found.update(hardware=hardware(), versions=versions())
    write_json(path, found)
    return found


def _describe(settings: Settings, command: str) -> dict:
    encoder = settings.store.encoder
    return dict(
        config=str(settings.cfg.filename),
        checkpoint=dict(path=encoder.path, sha256=encoder.digest, **encoder.meta),
        command=command,
    )
