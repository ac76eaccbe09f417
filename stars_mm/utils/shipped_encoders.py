"""The encoders that ship with the package, by name: ``stars://common-15``."""

import json
from difflib import get_close_matches
from pathlib import Path

from stars_mm.utils.weights_file import file_sha256

SCHEME = 'stars://'
#: Holds the files, and ``index.json``: name → file, sha256, config, layout, num_frames, …
FOLDER = Path(__file__).resolve().parents[1] / 'encoders'
INDEX = 'index.json'
#: Name → the terms on which it may be used.
LICENSES = {
    'common-15': 'CC BY-NC 4.0: the weights are for non-commercial research alone, since those who '
    'recorded the data that they were learned from allow no more (docs/models/common-15.md)'
}


def shipped_encoders(folder: Path = FOLDER) -> dict[str, dict]:
    """What is known of each encoder that ships, by its name: ``file``, ``sha256``, ``config`` (from
    ``configs/`` on), ``layout`` (of the joints that it takes), ``num_frames`` (of a clip), the
    configs ``model`` and ``pipeline``, ``space`` (file of the feature space of recognition)."""
    path = folder / INDEX
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}


def checkpoint_path(checkpoint: str | Path) -> Path:
    """The file of a checkpoint, which may be one of the package, ``stars://NAME``.

    Raises:
        ValueError: If no encoder of this name ships, or its file is not the one that was published.
        FileNotFoundError: If the file of an encoder that ships is gone.
    """
    if not str(checkpoint).startswith(SCHEME):
        return Path(checkpoint)
    known, name = shipped_encoders(FOLDER), str(checkpoint).removeprefix(SCHEME)
    if name not in known:
        nearest = get_close_matches(name, known, n=len(known), cutoff=0)
        names = ', '.join(SCHEME + one for one in nearest)
        raise ValueError(f'{checkpoint}: no encoder of this name ships. There are {names}.')
    return _published(checkpoint, known[name]['file'], known[name]['sha256'])


def space_path(name: str) -> Path | None:
    """The file of the feature space that ships with an encoder, None where none does; errors as of
    :func:`checkpoint_path`."""
    known = shipped_encoders(FOLDER).get(name, {})
    if 'space' not in known:
        return None
    return _published(SCHEME + name, known['space'], known['space_sha256'])


def _published(what: str | Path, file: str, expected: str) -> Path:
    """A file of the package, once it is known to be the one that was published."""
    path, again = FOLDER / file, 'Install stars_mm anew.'
    if not path.is_file():
        raise FileNotFoundError(f'{what}: its file is gone, {path}. {again}')
    found = file_sha256(path)
    if found != expected:
        raise ValueError(
            f'{what}: {path} is not the file that was published: its SHA-256 is {found}, '
            f'and {FOLDER / INDEX} says {expected}. {again}'
        )
    return path
