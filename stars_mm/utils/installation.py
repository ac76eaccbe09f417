"""What is installed and on what machine, found without importing any of it."""

import csv
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

#: Shared memory of Linux, through which data workers hand over batches.
SHARED_MEMORY = '/dev/shm'


def all_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_folder() -> Path:
    """Where clip stores lie of annotation files beside which nothing can be written."""
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'stars_mm'


def installed_packages(path: Sequence[str] | None = None) -> dict[str, metadata.Distribution]:
    """Distributions by their names in lower case with hyphens, on ``path`` (default: sys.path); of
    two with a name the one that is imported."""
    found: dict[str, metadata.Distribution] = {}
    for package in metadata.distributions(path=list(sys.path if path is None else path)):
        name = package.metadata['Name']
        if name:  # else what an interrupted pip has left
            found.setdefault(re.sub(r'[-_.]+', '-', name).lower(), package)
    return found


def physical_memory() -> int | None:
    """Bytes of memory, where the system says."""
    with suppress(AttributeError, OSError, ValueError):
        return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return None


def shared_memory() -> int | None:
    """Bytes of shared memory in all, where there is such a folder."""
    with suppress(OSError):
        return shutil.disk_usage(SHARED_MEMORY).total
    return None


def nvidia_gpus() -> list[str]:
    """Names of NVIDIA's GPUs, or their device files where ``nvidia-smi`` does not tell."""
    command = ['nvidia-smi', '--query-gpu=name', '--format=csv,noheader']
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        if done.stdout.strip():
            return done.stdout.strip().splitlines()
    return sorted(map(str, Path('/dev').glob('nvidia[0-9]*')))


@dataclass
class Installation:
    """This Python's packages and this machine, by default as they are."""

    packages: dict[str, metadata.Distribution] = field(default_factory=installed_packages)
    python: str = field(default_factory=platform.python_version)
    system: str = field(default_factory=platform.platform)
    cores: int = field(default_factory=all_cores)
    memory: int | None = field(default_factory=physical_memory)
    shared_memory: int | None = field(default_factory=shared_memory)
    gpus: list[str] = field(default_factory=nvidia_gpus)
    cache: Path = field(default_factory=cache_folder)

    def version(self, name: str) -> str | None:
        """Version of a package, None if it is not installed."""
        return self.packages[name].version if name in self.packages else None

    def file(self, name: str, path: str) -> Path:
        """A file of an installed package."""
        return Path(str(self.packages[name].locate_file(path)))

    def size(self, names: Sequence[str]) -> int:
        """Bytes of packages, as their records list them."""
        records = [self.packages[name].read_text('RECORD') or '' for name in names]
        rows = csv.reader(line for record in records for line in record.splitlines())
        return sum(int(row[2]) for row in rows if len(row) > 2 and row[2].isdigit())

    def torch_build(self) -> str:
        """What torch computes on: ``CPU``, ``CUDA 12.6``, ``ROCm 6.2``; ``unknown`` if torch does
        not say, and empty if there is none.

        The version of the metadata does not always have a suffix; ``torch/version.py``, read as
        text, tells.
        """
        if 'torch' not in self.packages:
            return ''
        text = self.packages['torch'].version
        with suppress(OSError):
            text += '\n' + self.file('torch', 'torch/version.py').read_text()
        for kind, pattern in (
            ('CUDA', r"^cuda\b.*= *'([\d.]+)'"),
            ('ROCm', r"^hip\b.*= *'([\d.]+)"),
            ('CUDA', r'\+cu(\d+)'),
            ('ROCm', r'\+rocm([\d.]+)'),
        ):
            if found := re.search(pattern, text, re.M):
                return f'{kind} {found[1]}'
        return 'CPU' if '+cpu' in text or re.search(r'^cuda\b.*= *None', text, re.M) else 'unknown'
