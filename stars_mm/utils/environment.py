"""What computes: the versions of the packages, and the device."""

import platform
from importlib.metadata import version
from pathlib import Path

import torch
from mmengine.device import get_device

from stars_mm.version import __version__

_PACKAGES = ('mmengine', 'mmaction2', 'numpy', 'scikit-learn', 'matplotlib')


def code_versions() -> dict[str, str]:
    """Versions on which numbers depend: results of others are not read back."""
    return dict(stars_mm=__version__, torch=torch.__version__)


def package_versions() -> dict[str, str]:
    """Versions of all that computes, for a reader."""
    others = {name: version(name) for name in _PACKAGES}
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
