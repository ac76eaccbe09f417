"""What makes a result the same, so that it is read back and not computed again."""

import functools
import hashlib
import json
import os

from stars_mm.utils.environment import code_versions
from stars_mm.utils.weights_file import file_sha256


def cache_key(content: dict) -> str:
    """A short name of settings, the same whenever they and the code's versions are."""
    text = json.dumps(dict(content=content, code=code_versions()), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file, read anew only where its size or time changed."""
    status = os.stat(path)
    return _digest(os.path.abspath(path), status.st_size, status.st_mtime_ns)


def dataset_key(dataset: dict) -> dict:
    """The config of a data set with the contents of its files in place of their paths."""
    key = {name: value for name, value in dataset.items() if name != 'data_root'}
    for name in ('ann_file', 'subset'):
        path = os.path.join(dataset.get('data_root') or '', dataset.get(name) or '')
        if os.path.isfile(path):
            key[name] = file_digest(path)
    return key


@functools.cache
def _digest(path: str, size: int, time: int) -> str:
    return file_sha256(path)
