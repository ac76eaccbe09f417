"""Finds a reader by name, or in a file of one's own."""

import importlib
import importlib.util
import inspect
import os.path as osp
import sys
from collections.abc import Callable, Iterable
from functools import partial

from stars_mm.preparation.recording import Recording
from stars_mm.utils.input_error import InputError

#: A function of the source and options.
Reader = Callable[..., Iterable[Recording]]

#: Name → module of this package, its function, and what of its options the name says.
_READERS: dict[str, tuple[str, str, dict]] = {
    'ntu60': ('ntu', 'read', dict(dataset=60)),
    'ntu120': ('ntu', 'read', dict(dataset=120)),
    'pku1': ('pku', 'read', dict(phase=1)),
    'pku2': ('pku', 'read', dict(phase=2)),
    'nw-ucla': ('nw_ucla', 'read', {}),
    'mamp-npz': ('mamp_npz', 'read', {}),
    'utd-mhad': ('utd_mhad', 'read', {}),
    'kard': ('kard', 'read', {}),
    'cad60': ('cad60', 'read', {}),
    'utkinect': ('utkinect', 'read', {}),
    'msr-action3d': ('msr_action3d', 'read', {}),
    'bandai-namco': ('bandai_namco', 'read', {}),
    'bvh': ('bvh', 'read', {}),
    'mmpose': ('folder', 'read', dict(layout='coco-17', suffixes=['.json'])),
    'folder': ('folder', 'read', {}),
}


def known_readers() -> list[str]:
    """Names that :func:`get_reader` knows."""
    return list(_READERS)


def get_reader(spec: str) -> Reader:
    """A reader, ``read(src, **options)``, by name or from a Python file.

    Args:
        spec (str): One of :func:`known_readers`; or a file and a function in it,
            ``my_reader.py:read`` (``read`` may be left out). The file is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the name is unknown, or the file has no such function.
    """
    if spec in _READERS:
        module, function, options = _READERS[spec]
        module = importlib.import_module(f'{__package__}.{module}')
        return partial(getattr(module, function), **options)
    path, _, function = spec.partition('.py')
    if not _ or (function and not function.startswith(':')):
        way = f'choose one of {known_readers()}, or give a file and its function, my_reader.py:read'
        raise ValueError(f'reader {spec!r}: {way}.')
    path, function = f'{path}.py', function[1:] or 'read'
    if not osp.isfile(path):
        raise FileNotFoundError(f'reader {spec!r}: there is no file {path}.')
    name = osp.splitext(osp.basename(path))[0]
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None and module_spec.loader is not None  # of a .py file it is not
    module = importlib.util.module_from_spec(module_spec)
    sys.modules.setdefault(name, module)  # for what pickles or imports it
    try:
        module_spec.loader.exec_module(module)
    except Exception as error:
        why = f'{type(error).__name__}: {error} while it was imported'
        raise ValueError(f'reader {path}: {why}.') from error
    if not callable(getattr(module, function, None)):
        raise ValueError(f'reader {path}: has no function {function}().')
    return getattr(module, function)


def call_reader(reader: Reader, src: str, options: dict) -> Iterable:
    """Calls a reader; options that it does not know are a ValueError."""
    try:
        inspect.signature(reader).bind(src, **options)
    except TypeError as error:
        function = getattr(reader, 'func', reader)
        name = f'{function.__module__}.{function.__name__}{inspect.signature(function)}'
        raise ValueError(f'reader {name}: {error}. Correct --reader-options.') from None
    try:
        return reader(src, **options)
    except InputError:
        raise
    except ValueError as error:  # of what it was given, or of an option
        where, _, problem = str(error).partition(': ')
        if where.startswith(str(src)):
            raise InputError(where, problem) from error
        raise
