"""Where checkpoints come from: files, URLs, names of collections, what ships with the package.

mmengine's own loaders unpickle what they get without restriction, or do so once the safe loader has
refused. Here every one of them finds a file, and the file is read by the one reader.
"""

import os
import re
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.fileio import copyfile_to_local
from mmengine.logging import print_log
from mmengine.runner import (
    CheckpointLoader,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

from stars_mm.utils.atomic import written_whole
from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.progress import Progress
from stars_mm.utils.shipped_encoders import SCHEME, checkpoint_path
from stars_mm.utils.weights_file import file_sha256, read_checkpoint_file, weights_of

#: Seconds without a byte, after which a download ends.
TIMEOUT = 30
#: The largest download.
MAX_BYTES = 8 << 30
_BY_HAND = 'Download the file yourself and give its path.'
_URL = ('http://', 'https://')
#: Prefix → URL of each name.
_COLLECTIONS = {
    **dict.fromkeys(('modelzoo://', 'torchvision://'), get_torchvision_models),
    **dict.fromkeys(('open-mmlab://', 'openmmlab://'), get_external_models),
    'mmcls://': get_mmcls_models,
}
#: The prefixes of mmengine's loaders, which are regular expressions, and ours.
SCHEMES = ['', *_URL, *_COLLECTIONS, 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://', SCHEME]


@CheckpointLoader.register_scheme(prefixes=SCHEMES, force=True)
def load_from_file(filename: str, map_location: Any = None) -> dict:
    """mmengine's loader of checkpoints, wherever they are: see
    :func:`~stars_mm.utils.weights_file.read_checkpoint_file`. Weights of a ``.safetensors`` file
    come in single precision, whatever the file's."""
    path = local_file(filename)
    content = read_checkpoint_file(path, map_location)
    if isinstance(content.get('meta'), dict):
        content['meta'].pop('config', None)  # mmengine would run this text of mmcv 1 to resume
    if path.suffix == '.safetensors':
        state = content['state_dict']
        state.update({k: v.float() for k, v in state.items() if v.is_floating_point()})
    if str(filename).startswith('mmcls://'):  # classifiers, of which the backbone is wanted
        state = weights_of(content)
        prefix = 'backbone.'
        backbone = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        return dict(state_dict=backbone)
    return content


def local_file(checkpoint: str | Path) -> Path:
    """The file of a checkpoint; what comes from elsewhere lies in torch's folder of downloads.

    Args:
        checkpoint (str or Path): A path; a URL; a name in one of mmengine's collections, such as
            ``torchvision://resnet50``; ``s3://…``; or an encoder that ships, ``stars://NAME``.

    Raises:
        InputError: If it cannot be had.
        ValueError, FileNotFoundError: As of :func:`checkpoint_path`.
    """
    filename = str(checkpoint)
    collection = next((prefix for prefix in _COLLECTIONS if filename.startswith(prefix)), None)
    if filename.startswith(SCHEME):
        return checkpoint_path(filename)
    if filename.startswith(_URL):
        return _download(filename)
    if collection:
        return _find(filename, filename.removeprefix(collection), _COLLECTIONS[collection]())
    if re.match(r'(\S+:)?(s3|petrel)://', filename):
        with reading(filename), written_whole(_cached(filename)) as partial:
            copyfile_to_local(filename, partial, backend_args=dict(backend='petrel'))
        return _cached(filename)
    if filename.startswith('pavi://'):
        raise InputError(filename, 'is of a store that is not read', 'Give the file itself.')
    return Path(filename)


def _find(filename: str, name: str, urls: dict[str, str]) -> Path:
    name = get_deprecated_model_names().get(name, name)
    if name not in urls:
        raise InputError(filename, f'there is no {name!r} among {len(urls)} names')
    if urls[name].startswith(_URL):
        return _download(urls[name])
    home = os.getenv('MMENGINE_HOME') or Path(os.getenv('XDG_CACHE_HOME', '~/.cache'), 'mmengine')
    return Path(home).expanduser() / urls[name]


def _download(url: str) -> Path:
    """The file of a URL, fetched once, by one process."""
    path, expected = _cached(url), _hash_in(url)
    with reading(url, _BY_HAND):
        try:
            if is_main_process():
                _fetch(url, path, expected)
        finally:
            barrier()
        _fetch(url, path, expected)  # where processes do not share the folder
    if path.is_file() and not file_sha256(path).startswith(expected):
        raise InputError(path, f'its SHA-256 does not begin with {expected}', 'Delete the file.')
    return path


def _cached(url: str) -> Path:
    """Where torch puts a file whose name has its hash; of others, many have one name."""
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    folder.mkdir(parents=True, exist_ok=True)
    name = PurePosixPath(urlparse(url).path).name
    if name in ('', '..'):
        raise InputError(url, 'names no file', 'Give the URL of a file of weights.')
    return folder / (name if _hash_in(url) else f'{sha256(url.encode()).hexdigest()[:8]}_{name}')


def _hash_in(url: str) -> str:
    """The first digits of a file's SHA-256, as torch names its files; a date is no hash."""
    found = re.search(r'-(?!20\d{6}\.)([a-f0-9]{8,64})\.', PurePosixPath(urlparse(url).path).name)
    return found[1] if found else ''


def _fetch(url: str, path: Path, expected: str) -> None:
    if path.exists():
        return
    print_log(f'Downloading {url} to {path}', 'current')
    request = Request(url, headers={'User-Agent': 'stars_mm'})  # some refuse Python's own
    with written_whole(path) as partial, urlopen(request, timeout=TIMEOUT) as source:
        length = int(source.headers['Content-Length'] or 0)
        with open(partial, 'wb') as file, Progress(length, f'bytes of {path.name}') as shown:
            while block := source.read(1 << 20):
                file.write(block)
                shown.update(len(block))
                if max(shown.done, length) > MAX_BYTES:
                    raise InputError(url, f'is larger than {MAX_BYTES / 2**30:g} GiB', _BY_HAND)
        if length and shown.done != length:
            raise EOFError(f'{shown.done} of {length} bytes came')
        if not file_sha256(partial).startswith(expected):
            raise InputError(url, f'its SHA-256 is not the hash in its name, {expected}')
