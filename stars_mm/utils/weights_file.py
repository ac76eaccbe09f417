"""Reads and writes files of weights: ``.pth``, ``.pt``, ``.safetensors``."""

import argparse
import contextlib
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from stars_mm.utils.atomic import written_whole

PathLike = str | Path
SUFFIXES = ('.pth', '.pt', '.safetensors')


def read_weights(path: PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights without running anything that the file holds.

    Args:
        path (str or Path): A checkpoint of mmengine (weights under ``state_dict``), one of the
            authors' (under ``model``, or the weights alone), or a ``.safetensors`` file.

    Returns:
        tuple[dict[str, Tensor], dict]: The weights by name, without the ``module.`` of distributed
        training, and what else is known of them, such as ``epoch``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else, or more than the safe loader takes.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: there is no such file of weights.')
    if path.suffix == '.safetensors':
        state, meta = _read_safetensors(path)
    else:
        state, meta = _read_torch(path)
    strange = [f'"{name}" is no tensor' for name in state if not isinstance(state[name], Tensor)]
    if strange or not state:
        raise ValueError(
            f'{path}: holds no weights by name: {[*strange, "it is empty"][0]}. A file of weights '
            'has them under "state_dict" or "model", or nothing but them.'
        )
    if all(name.startswith('module.') for name in state):
        state = {name.removeprefix('module.'): value for name, value in state.items()}
    return state, meta


def write_weights(path: PathLike, content: dict[str, Any]) -> None:
    """Write weights whole or not at all.

    Args:
        path (str or Path): The file, by its suffix ``.pth``, ``.pt`` or ``.safetensors``. One that
            is there already is replaced once the new one is complete.
        content (dict): What ``torch.save`` is given: weights by name, or a dict with them under
            ``state_dict`` or ``model``. In a ``.safetensors`` file the weights come by name, and
            ``meta`` as JSON.
    """
    check_suffix(path)
    with written_whole(path) as partial:
        if Path(path).suffix != '.safetensors':
            torch.save(content, partial)
            return
        state = content.get('state_dict', content.get('model', content))
        # contiguous, and none a view of another
        state = {k: v.clone(memory_format=torch.contiguous_format) for k, v in state.items()}
        # one key: safetensors writes several in any order, and no two files would be the same
        meta = dict(meta=json.dumps(content.get('meta') or {}, sort_keys=True))
        safetensors.torch.save_file(state, partial, metadata=meta)


def check_suffix(path: PathLike) -> None:
    """Raise an error where a file of this name cannot be written."""
    if Path(path).suffix not in SUFFIXES:
        raise ValueError(f'{path}: weights are written as one of {SUFFIXES}.')


def file_sha256(path: PathLike) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_torch(path: Path) -> tuple[dict, dict]:
    # the authors save the arguments of their command line beside the weights
    allow = getattr(torch.serialization, 'safe_globals', lambda types: contextlib.nullcontext())
    try:
        with allow([argparse.Namespace]):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'{path}: the safe loader refuses it: {_cause(path, error)}. Only tensors and plain '
            'values are read. Where you trust the file, load it in the program that wrote it and '
            'save its weights alone.'
        ) from error
    except (RuntimeError, EOFError) as error:
        raise ValueError(
            f'{path}: is no file that torch.save wrote, or not all of one ({error}).'
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f'{path}: holds a {type(content).__name__}, and no weights by name.')
    for key in ('state_dict', 'model'):
        if isinstance(content.get(key), dict):
            meta = dict(content.get('meta') or {})
            if isinstance(content.get('epoch'), int):
                meta['epoch'] = content['epoch'] + 1  # theirs begin at 0
            return content[key], meta
    return content, {}


def _cause(path: Path, error: Exception) -> str:
    find: Any = getattr(torch.serialization, 'get_unsafe_globals_in_checkpoint', None)
    try:
        names = sorted(set(find(path)) - {'argparse.Namespace'})
        return f'it holds objects of {", ".join(names)}'
    except Exception:  # not a zip file, or a torch without this function
        return str(error).splitlines()[0]


def _read_safetensors(path: Path) -> tuple[dict, dict]:
    try:
        with safetensors.safe_open(path, framework='pt') as file:
            meta = json.loads((file.metadata() or {}).get('meta', '{}'))
            return {name: file.get_tensor(name) for name in file.keys()}, meta
    except safetensors.SafetensorError as error:
        raise ValueError(f'{path}: is no safetensors file ({error}).') from error
