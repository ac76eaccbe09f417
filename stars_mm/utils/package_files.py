"""Configs, tools and the model index that come with the package."""

from difflib import get_close_matches
from pathlib import Path

from stars_mm.utils.input_error import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
#: Where they lie: in a checkout, in what was installed.
ROOTS = (_PACKAGE.parent, _PACKAGE / '.mim')


def package_path(name: str) -> Path:
    """The path of a file or folder that comes with the package, such as 'model-index.yml'.

    Raises:
        FileNotFoundError: If it is not there.
    """
    for root in ROOTS:
        if (root / name).exists() and (root / 'model-index.yml').is_file():
            return root / name
    raise FileNotFoundError(f'{name} is not among what was installed. Install stars_mm anew.')


def find_config(path: str | Path) -> str:
    """The path of a config, which may be one of the package: ``stars_custom``, or
    ``configs/stars_custom.py`` from whichever folder.

    Raises:
        FileNotFoundError: If there is none; names those that are called alike.
        InputError: If it is no ``.py``.
    """
    if Path(path).is_file():
        return python_config(str(path))
    folder = package_path('configs')
    name = str(path).removeprefix('configs/').removesuffix('.py')
    if (folder / f'{name}.py').is_file():
        return str(folder / f'{name}.py')
    known = [one.relative_to(folder).as_posix().removesuffix('.py') for one in folder.rglob('*.py')]
    near = get_close_matches(name, [one for one in known if '_base_' not in one], n=3, cutoff=0.4)
    such = f'; the package has {", ".join(near)}' if near else ''
    raise FileNotFoundError(f'config {path}: there is no such file{such}.')


def python_config(path: str) -> str:
    """The path of a config; an InputError where it is no ``.py``. mmengine takes YAML as well, of
    which nobody expects that it runs, and lets it run what it likes."""
    if not path.endswith('.py'):
        raise InputError(path, 'is no .py', 'A config is written in Python, and runs.')
    return path
