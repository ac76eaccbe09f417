"""Where a large table of numbers can be kept while a program runs."""

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, all_reduce, barrier, get_rank
from torch import Tensor

STORAGES = ('device', 'host', 'disk')


def free_bytes(device: torch.device, folder: str) -> dict[str, int]:
    """Bytes that are free in each kind of storage.

    Args:
        device (torch.device): Where the model computes; one that is no GPU
            has no storage of its own.
        folder (str): Folder on the disk.

    Returns:
        dict[str, int]: ``device`` (where it is a GPU), ``host``, ``disk``.
    """
    free = {}
    if device.type == 'cuda':
        free['device'] = torch.cuda.mem_get_info(device)[0]
    free['host'] = _free_memory()
    free['disk'] = shutil.disk_usage(folder).free
    return free


def choose_storage(
    size: int, wanted: Sequence[str], share: float, device: torch.device, folder: str
) -> str:
    """The first storage with room, the same on all ranks.

    Args:
        size (int): Bytes that are needed.
        wanted (Sequence[str]): The storages that come into question.
        share (float): How much of what is free may be taken.
        device (torch.device): The device.
        folder (str): Folder on the disk.

    Returns:
        str: Its name.

    Raises:
        MemoryError: If there is none, with the sizes.
    """
    free = free_bytes(device, folder)
    copies = dict(host=len(ranks_here()))  # each process has its own
    room = torch.tensor(
        [int(size * copies.get(name, 1) <= free.get(name, 0) * share) for name in wanted]
    )
    all_reduce(room, 'min')
    if not room.any():
        told = ', '.join(f'{name} {free[name] / 2**30:.2f}' for name in wanted if name in free)
        raise MemoryError(
            f'{size / 2**30:.2f} GiB are needed, and {share:.0%}'
            f' of what is free may be taken (GiB: {told})'
        )
    return wanted[int(room.argmax())]


def allocate(
    shape: tuple[int, ...], dtype: torch.dtype, storage: str, device: torch.device, folder: str
) -> Tensor:
    """Make a tensor whose numbers are not set.

    On the disk it is a file that is mapped into memory, which the processes
    of a computer share. It has no name any more when this returns, so that
    nothing is left when the last of them ends, however it ends.

    Args:
        shape (tuple[int, ...]): Its shape.
        dtype (torch.dtype): Its type.
        storage (str): One of :data:`STORAGES`.
        device (torch.device): The device.
        folder (str): Where the file is to lie.

    Returns:
        Tensor: The tensor.
    """
    if storage == 'device':
        return torch.empty(shape, dtype=dtype, device=device)
    if storage == 'host':
        return torch.empty(shape, dtype=dtype)
    first = ranks_here()[0]
    path = os.path.join(folder, f'.mapped_{socket.gethostname()}_{first}')
    size = torch.Size(shape).numel()
    if get_rank() == first and os.path.exists(path):  # of a killed run
        os.remove(path)
    barrier()
    mapped = torch.from_file(path, shared=True, size=size, dtype=dtype)
    barrier()
    if get_rank() == first:
        os.remove(path)
    return mapped.reshape(shape)


def ranks_here() -> list[int]:
    """The ranks of the processes on this computer, this one's among them."""
    boot = Path('/proc/sys/kernel/random/boot_id')  # names can be the same
    computer = socket.gethostname(), boot.read_text() if boot.exists() else ''
    computers = all_gather_object(computer)
    return [rank for rank, other in enumerate(computers) if other == computer]


def _free_memory() -> int:
    """Bytes of memory that may still be used, by this container's limit."""
    free = os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    meminfo = Path('/proc/meminfo')
    if meminfo.exists():  # counts what the system would give up, too
        for line in meminfo.read_text().splitlines():
            if line.startswith('MemAvailable:'):
                free = int(line.split()[1]) * 1024
    group = Path('/sys/fs/cgroup')
    try:
        limit = (group / 'memory.max').read_text().strip()
        used = int((group / 'memory.current').read_text())
    except (OSError, ValueError):
        return free
    return free if limit == 'max' else max(min(free, int(limit) - used), 0)
