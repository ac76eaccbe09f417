"""Which checkpoint of a work directory is the last one."""

import logging
import os
import os.path as osp
import re
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process
from mmengine.logging import print_log

from stars_mm.utils.atomic import remove, write_text
from stars_mm.utils.checkpoint import read_checkpoint
from stars_mm.utils.input_error import InputError, reading

POINTER = 'last_checkpoint'

#: What a killed run may leave half written.
_PARTIALS = ('*.pth.*.partial', f'{POINTER}.*.partial', '*.py.*.partial')


def latest_checkpoint(work_dir: str) -> str | None:
    """Path of the checkpoint that was saved last to the folder of a run, the same on all ranks.

    The file ``last_checkpoint`` names it; what lies in the folder itself comes first where it is
    named by its whole path, since the folder may have been moved or copied. One that is gone or
    cannot be read is passed over, with a warning, for the one before it. The other ranks do not
    wait while rank 0 saves; here they do.

    Returns:
        str or None: The path; None where none was saved, or all are gone.

    Raises:
        InputError: If there are some, and none can be read.
    """
    found: list[str | InputError | None] = [None]
    if is_main_process():
        try:
            found = [_latest_checkpoint(work_dir)]
        except InputError as error:
            found = [error]
    broadcast_object_list(found)
    if isinstance(found[0], InputError):
        raise found[0]
    return found[0]


def point_to(checkpoint: str, work_dir: str) -> None:
    """Note a checkpoint as the last one, by its path relative to the folder of the run."""
    if '://' not in checkpoint:
        checkpoint = osp.relpath(checkpoint, work_dir)
    write_text(osp.join(work_dir, POINTER), checkpoint)


def forget_checkpoints(work_dirs: list[str]) -> None:
    """Remove the pointers to the last checkpoints that an earlier run left in these folders.

    When this run is interrupted and resumed, what the earlier one left in stages that this one has
    not reached must not count as done. The checkpoints themselves stay.
    """
    for work_dir in work_dirs:
        if is_main_process():
            remove(Path(work_dir) / POINTER)
    barrier()


def remove_partials(work_dir: str) -> None:
    """Remove what a run that was killed while it wrote has left; none must be running there."""
    for pattern in _PARTIALS:
        for path in Path(work_dir).glob(pattern):
            remove(path)


def is_finished(cfg: Config, checkpoint: str) -> bool:
    """Whether a checkpoint is from the end of a training, by epochs or by iterations."""
    meta = read_checkpoint(checkpoint)['meta']
    unit = 'epoch' if 'max_epochs' in cfg.train_cfg else 'iter'
    return meta[unit] >= cfg.train_cfg[f'max_{unit}s']


def _latest_checkpoint(work_dir: str) -> str | None:
    pointer = osp.join(work_dir, POINTER)
    if not osp.isfile(pointer):
        return None
    with reading(pointer), open(pointer, encoding='utf-8', errors='replace') as file:
        named = file.read().strip()
    if '://' in named:
        return named
    faults = [] if named else [f'{pointer} is empty']
    torn = None
    for path in _candidates(work_dir, named):
        if not osp.exists(path):
            faults.append(f'{path} is gone')
            continue
        try:
            with reading(path):
                read_checkpoint(path)
        except (InputError, OSError) as error:
            faults.append(str(error).rstrip('.'))
            torn = torn or path
            continue
        if faults:
            _warn(f'{"; ".join(faults)}; the checkpoint before is taken: {path}')
        return path
    if torn is not None:
        raise InputError(
            torn,
            f'cannot be read, and no checkpoint before it can: {"; ".join(faults)}',
            f'Put a whole one in its place; to begin anew, remove {pointer}.',
        )
    _warn(f'{pointer} names {named!r}, which is gone.')
    return None


def _candidates(work_dir: str, named: str) -> Iterator[str]:
    """The checkpoint that is named, then those before it, the newest first."""
    path = inside = osp.join(work_dir, osp.basename(named))
    for path in (inside, osp.join(work_dir, named), named):
        if osp.isfile(path):
            break
    else:
        path = inside
    if named:
        yield path
    folder = osp.dirname(path)
    kind, number = _kind_and_number(path)
    numbered: dict[str, list[tuple[int, str]]] = dict(iter_=[], epoch_=[])
    for name in os.listdir(folder):
        other, step = _kind_and_number(name)
        if other in numbered and (other != kind or step < number):
            numbered[other].append((step, osp.join(folder, name)))
    # one by iterations is where a signal stopped a run by epochs, and goes with the next one
    for name in ('epoch_',) if kind == 'epoch_' else ('iter_', 'epoch_'):
        yield from (path for _, path in sorted(numbered[name], reverse=True))


def _warn(text: str) -> None:
    print_log(text, 'current', logging.WARNING)


def _kind_and_number(path: str) -> tuple[str, int]:
    match = re.fullmatch(r'(.*_)(\d+)\.pth', osp.basename(path))
    return (match[1], int(match[2])) if match else ('', 0)
