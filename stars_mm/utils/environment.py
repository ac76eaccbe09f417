"""What computes: the versions of the packages, and the device."""

import importlib
import platform
from pathlib import Path

import torch
from mmengine.device import get_device

from stars_mm.version import __version__

#: Name → module: of mmengine and mmcv there are several distributions.
_PACKAGES = dict(
    mmengine='mmengine',
    mmcv='mmcv',
    mmaction2='mmaction',
    numpy='numpy',
    matplotlib='matplotlib',
    **{'scikit-learn': 'sklearn'},
)


def code_versions() -> dict[str, str]:
    """Versions on which numbers depend: results of others are not read back."""
    return dict(stars_mm=__version__, torch=torch.__version__)


def package_versions() -> dict[str, str]:
    """Versions of all that computes, for a reader."""
    others = {name: importlib.import_module(m).__version__ for name, m in _PACKAGES.items()}
    return dict(code_versions(), python=platform.python_version(), **others)


def device_name(kind: str | None = None) -> str:
    """The device of a kind, by default that which models run on, in words."""
    if (kind or get_device()) == 'cuda':
        return f'{torch.cuda.device_count()} × {torch.cuda.get_device_name()}'
    name, cpuinfo = platform.processor() or platform.machine(), Path('/proc/cpuinfo')
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        models = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
        name = models[0] if models else name
    return f'CPU: {name}, {torch.get_num_threads()} threads'
