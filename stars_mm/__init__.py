"""STARS: self-supervised skeleton action recognition for mmaction2.

Importing this package registers its models, datasets, transforms, runner, hooks and metrics in
mmaction2's registries. A config does so by ``custom_imports = dict(imports=['stars_mm'])``.
"""

from stars_mm import compat
from stars_mm.version import __version__

compat.check_requirements()
compat.apply()

from stars_mm import datasets, engine, evaluation, models  # noqa: E402  after compat

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models']
