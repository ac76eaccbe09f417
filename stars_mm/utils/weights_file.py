"""Reads and writes files of weights: ``.pth``, ``.pt``, ``.safetensors``."""

import hashlib
import io
import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from stars_mm.utils.atomic import naming, written_whole
from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.torch_file import read_torch_file

PathLike = str | Path
SUFFIXES = ('.pth', '.pt', '.safetensors')
#: Bytes, of the names and shapes in a ``.safetensors`` file.
MAX_HEADER = 10_000_000
_REMEDY = (
    'A file of weights has them by name, under "state_dict" or "model" or alone, beside plain '
    'values. Get it anew where it is broken; where you trust one that holds more, load it in the '
    'program that wrote it and save its weights alone.'
)
#: Parts of a checkpoint that a training goes on with.
_KINDS: dict[str, Any] = dict(
    meta=dict, message_hub=dict, param_schedulers=(list, dict), optimizer=dict
)


def read_checkpoint_file(path: PathLike, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint without running anything that the file holds.

    Args:
        path (str or Path): A checkpoint of mmengine (weights under ``state_dict``), one of the
            authors' (under ``model``, or the weights alone), or a ``.safetensors`` file.
        map_location (str or torch.device): Where the tensors are wanted. Anything else means the
            CPU.

    Returns:
        dict: What the file holds; of a ``.safetensors`` file ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is broken, holds something else, or more than weights and plain values, or
            weights that are not finite.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f'{path}: there is no such file of weights.')
    if not path.is_file():
        raise InputError(path, 'is no file', 'Give the file of weights itself.')
    device = torch.device(map_location if isinstance(map_location, (str, torch.device)) else 'cpu')
    with reading(path, _REMEDY):
        read = _read_safetensors if path.suffix == '.safetensors' else read_torch_file
        try:
            content = read(path, device)
            _check_form(content)
            _check_finite(content, path)
        except UnpicklingError as error:
            raise InputError(path, f'refused, {error}', _REMEDY) from error
        except (BadZipFile, EOFError, SafetensorError) as error:
            problem = f'is no file of weights, or not all of one ({error})'
            raise InputError(path, problem, _REMEDY) from error
        return content


def weights_of(content: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint: under ``state_dict``, under ``model``, or all that it holds."""
    for key in ('state_dict', 'model'):
        if isinstance(content.get(key), dict):
            return content[key]
    return content


def read_weights(path: PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the weights of a checkpoint; arguments and errors as of :func:`read_checkpoint_file`.

    Returns:
        tuple[dict[str, Tensor], dict]: The weights by name, without the ``module.`` of distributed
        training, and what else is known of them, such as ``epoch``.
    """
    content = read_checkpoint_file(path)
    state, meta = weights_of(content), {}
    if not state:
        raise InputError(path, 'holds no weights by name, it is empty', _REMEDY)
    if state is not content:
        meta = dict(content.get('meta') or {})
        if isinstance(content.get('epoch'), int):
            meta['epoch'] = content['epoch'] + 1  # theirs begin at 0
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
            file = io.BytesIO()  # torch's own writer does not say that a disk is full
            torch.save(content, file)
            partial.write_bytes(file.getvalue())
            return
        state = weights_of(content)
        # contiguous, and none a view of another
        state = {k: v.clone(memory_format=torch.contiguous_format) for k, v in state.items()}
        # one key: safetensors writes several in any order, and no two files would be the same
        meta = dict(meta=json.dumps(content.get('meta') or {}, sort_keys=True))
        partial.write_bytes(safetensors.torch.save(state, metadata=meta))


def check_suffix(path: PathLike) -> None:
    """Raise an error where a file of this name cannot be written."""
    if Path(path).suffix not in SUFFIXES:
        raise ValueError(f'{path}: weights are written as one of {SUFFIXES}.')


def file_sha256(path: PathLike) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with naming(path), open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _check_finite(content: dict[str, Any], path: Path) -> None:
    for name, value in weights_of(content).items():
        value = value.float() if value.itemsize == 1 else value  # torch cannot tell of float8
        if not value.isfinite().all():
            raise InputError(
                path,
                f'"{name}" holds values that are not finite',
                'The training that wrote it came to no end that can be used, or the file is '
                'damaged: take an earlier one.',
            )


def _check_form(content: Any) -> None:
    """Raises an UnpicklingError where a checkpoint does not hold what is looked for in it."""
    if not isinstance(content, dict):
        raise UnpicklingError(f'it holds a {type(content).__name__}, and no weights by name')
    state = weights_of(content)
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UnpicklingError(f'it holds no weights by name: {name!r:.80} is no tensor')
    if state is content:
        return
    for key, kind in _KINDS.items():
        if content.get(key) is not None and not isinstance(content[key], kind):
            raise UnpicklingError(f'its "{key}" is a {type(content[key]).__name__}')
    meta = content.get('meta') or {}
    if not isinstance(meta, dict):
        raise UnpicklingError(f'its "meta" is a {type(meta).__name__}')
    for key in ('epoch', 'iter', 'seed'):
        if meta.get(key) is not None and (type(meta[key]) is not int or meta[key] < 0):
            raise UnpicklingError(f'its "meta" has {key}={meta[key]!r:.80}, which is no number')


def _read_safetensors(path: Path, device: torch.device) -> dict[str, Any]:
    with open(path, 'rb') as raw:
        length = int.from_bytes(raw.read(8), 'little')
    if length > min(MAX_HEADER, path.stat().st_size):
        raise UnpicklingError(f'its header says that it has {length} bytes')
    with safetensors.safe_open(path, framework='pt', device=str(device)) as file:
        meta = json.loads((file.metadata() or {}).get('meta', '{}'))
        return dict(state_dict={name: file.get_tensor(name) for name in file.keys()}, meta=meta)
