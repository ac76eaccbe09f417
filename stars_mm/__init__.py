"""STARS: self-supervised skeleton action recognition for mmaction2.

Importing this package registers its models, datasets, transforms, runner, hooks and metrics in
mmaction2's registries. A config does so by ``custom_imports = dict(imports=['stars_mm'])``. Only
the command ``stars-mm`` registers later, once it knows that they are wanted, so that its help and
``stars-mm doctor`` neither wait for torch nor fail on what is wrong with an installation.
"""

import multiprocessing
import sys
from pathlib import Path

from stars_mm import compat
from stars_mm.version import __version__

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'register']


def register() -> None:
    """Make mmaction2 work on today's stack and register all parts in its registries.

    Raises:
        ImportError: If mmengine, mmcv or mmaction2 is missing or unfit.
    """
    compat.check_requirements()
    compat.apply()
    from stars_mm import datasets, engine, evaluation, models  # noqa: F401  after compat


def _is_the_command() -> bool:
    """Whether this process is ``stars-mm`` itself; what it spawns imports all as anyone does."""
    program = Path((getattr(sys, 'argv', None) or [''])[0]).stem
    return program == 'stars-mm' and multiprocessing.parent_process() is None


if not _is_the_command():
    register()
