"""The encoders that ship with the package, by name: ``stars://common-15``."""

import json
from difflib import get_close_matches
from pathlib import Path

from stars_mm.utils.weights_file import file_sha256

SCHEME = 'stars://'
#: Holds the files, and ``index.json``: name → file, sha256, config, layout, num_frames, …
FOLDER = Path(__file__).resolve().parents[1] / 'encoders'
INDEX = 'index.json'


def shipped_encoders(folder: Path = FOLDER) -> dict[str, dict]:
    """What is known of each encoder that ships, by its name: ``file``, ``sha256``, ``config`` (from
    ``configs/`` on), ``layout`` (of the joints that it takes), ``num_frames`` (of a clip)."""
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
    path = FOLDER / known[name]['file']
    again = 'Install stars_mm anew.'
    if not path.is_file():
        raise FileNotFoundError(f'{checkpoint}: its file is gone, {path}. {again}')
    found, expected = file_sha256(path), known[name]['sha256']
    if found != expected:
        raise ValueError(
            f'{checkpoint}: {path} is not the file that was published: its SHA-256 is {found}, '
            f'and {FOLDER / INDEX} says {expected}. {again}'
        )
    return path
