"""Reads the pickle in a file of ``torch.save``, of which nothing runs.

A pickle is a small program. Those of checkpoints need few of its instructions; these are followed
here, with limits, and call no functions but those of :data:`_CALLS`. torch's safe loader follows
more: that of 2.13 calls ``bytearray(3_000_000_000)`` and ``torch.FloatTensor(10**10)``, hashes what
is nested without end, and an environment variable switches it off.
"""

import argparse
import collections
import math
import pickletools
from collections.abc import Callable
from pickle import UnpicklingError
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from stars_mm.utils.checkpoint_types import MESSAGE_HUB, PlainArray, PlainDtype, PlainHistory

#: More than the optimizer of a thousand layers takes.
MAX_STEPS = 1_000_000
MAX_NESTING = 64
#: A key of a dict, and a member of a set: what is nested may take for ever to hash.
_SCALARS = (str, int, float, bytes, type(None))


class Storage(NamedTuple):
    """Bytes of a file, (n,) uint8, and what they are taken for."""

    raw: Tensor
    dtype: torch.dtype


class _Name(NamedTuple):
    """What a file names: only ever called, never changed."""

    name: str
    value: Any


def _tensor(
    storage: Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool, *rest: Any
) -> Tensor:
    """torch's ``_rebuild_tensor_v2`` and, with a dtype, ``_rebuild_tensor_v3``."""
    dtype, metadata = storage.dtype, None
    for value in rest[1:]:  # after the hooks
        dtype, metadata = (value, metadata) if isinstance(value, torch.dtype) else (dtype, value)
    available = storage.raw.numel() // dtype.itemsize
    numbers = (offset, *size, *stride)
    if any(type(n) is not int or n < 0 for n in numbers) or len(size) > 64 or metadata:
        raise UnpicklingError(f'it holds a tensor of size {size}, stride {stride}, {metadata}')
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(max(n, 1) for n in size)
    is_outside = 0 not in size and (last >= available or count > available)
    if is_outside or max(count, last) >= 2**48:
        raise UnpicklingError(
            f'it holds a tensor of size {size}, stride {stride} and offset {offset}, of a storage '
            f'with {available} values'
        )
    tensor = torch.empty(0, dtype=dtype, device=storage.raw.device)
    tensor.set_(storage.raw.untyped_storage(), offset, size, stride)
    return tensor.requires_grad_(bool(requires_grad))


def _set(members: list) -> set:
    if not all(isinstance(member, _SCALARS) for member in members):
        raise UnpicklingError('it holds a set of nested values')
    return set(members)


def _counter(counts: dict) -> collections.Counter:
    return collections.Counter({key: int(count) for key, count in counts.items()})


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ('latin1', 'latin-1'):
        raise UnpicklingError(f'it asks for the codec {encoding!r}')
    return text.encode('latin1')


#: What is called: torch's and the language's names, and those of a message hub.
_CALLS: dict[str, Callable] = {
    'torch._utils._rebuild_tensor_v2': _tensor,
    'torch._utils._rebuild_tensor_v3': _tensor,
    'torch._utils._rebuild_parameter': lambda data, grad, _: nn.Parameter(data, bool(grad)),
    'torch.Size': lambda size: torch.Size([int(n) for n in size]),
    'torch.device': lambda name, *index: torch.device(str(name), *index),
    'collections.OrderedDict': lambda: collections.OrderedDict(),
    'collections.Counter': _counter,  # milestones of a schedule
    'builtins.set': _set,
    '_codecs.encode': _encode,
    'argparse.Namespace': argparse.Namespace,  # the authors' command line
    **MESSAGE_HUB,
}
_DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
#: The dtypes of storages, by their names.
_STORAGES = {
    'torch.storage.UntypedStorage': torch.uint8,
    'torch.DoubleStorage': torch.float64,
    'torch.FloatStorage': torch.float32,
    'torch.HalfStorage': torch.float16,
    'torch.BFloat16Storage': torch.bfloat16,
    'torch.LongStorage': torch.int64,
    'torch.IntStorage': torch.int32,
    'torch.ShortStorage': torch.int16,
    'torch.CharStorage': torch.int8,
    'torch.ByteStorage': torch.uint8,
    'torch.BoolStorage': torch.bool,
    'torch.ComplexFloatStorage': torch.complex64,
    'torch.ComplexDoubleStorage': torch.complex128,
}
_NAMES = {name: _Name(name, value) for name, value in {**_CALLS, **_DTYPES, **_STORAGES}.items()}
_PUSHED = {'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT', 'BINUNICODE', 'SHORT_BINSTRING'}
_MADE: dict[str, Callable] = {
    'NONE': lambda: None,
    'NEWTRUE': lambda: True,
    'NEWFALSE': lambda: False,
    'EMPTY_TUPLE': tuple,
    'EMPTY_LIST': list,
    'EMPTY_DICT': dict,
}
_SIZED = (str, bytes, list, tuple, dict)
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}


def load_pickle(
    file: IO[bytes], size: int, find_storage: Callable[[tuple, torch.dtype], Storage]
) -> Any:
    """Follow the instructions of a pickle, as far as a checkpoint needs them.

    Args:
        file (file): Stands at the beginning of the pickle, and afterwards at its end.
        size (int): Bytes of the file.
        find_storage (callable): Called with what a pickle says of a storage, ``('storage', …)``,
            and its dtype.

    Raises:
        UnpicklingError: If it asks for anything else, or for more than its size explains; other
            errors where it is broken.
    """
    return _Machine(size, find_storage).run(file)


class _Machine:
    def __init__(self, size: int, find_storage: Callable) -> None:
        self._find_storage = find_storage
        self._stack: list[Any] = []
        self._marked: list[list] = []
        self._memo: dict[int, Any] = {}
        self._arrays: dict[int, int] = {}  # id → number in the memo
        self._to_copy = 4 * size + 1_000_000

    def run(self, file: IO[bytes]) -> Any:
        for step, (opcode, arg, _) in enumerate(pickletools.genops(file)):
            if step > MAX_STEPS:
                raise UnpicklingError(f'its pickle has more than {MAX_STEPS} instructions')
            self._follow(opcode.name, arg)
        (content,) = self._stack
        _check_nesting(content, 1, {})
        return content

    def _follow(self, name: str, arg: Any) -> None:
        stack = self._stack
        if name in _PUSHED:
            stack.append(arg)
        elif name in _MADE:
            stack.append(_MADE[name]())
        elif name in ('BINPUT', 'LONG_BINPUT'):
            self._memo[arg] = stack[-1]
            if isinstance(stack[-1], PlainArray):
                self._arrays[id(stack[-1])] = arg
        elif name in ('BINGET', 'LONG_BINGET'):
            stack.append(self._memo[arg])
        elif name == 'MARK':
            self._marked.append(stack)
            self._stack = []
        elif name in ('TUPLE', 'APPENDS', 'SETITEMS'):
            self._stack = self._marked.pop()
            self._fill(name, stack)
        elif name in _TUPLES:
            number = _TUPLES[name]
            stack[-number:] = [tuple(self._top(number))]
        elif name == 'APPEND':
            self._fill(name, [stack.pop()])
        elif name == 'SETITEM':
            value, key = stack.pop(), stack.pop()
            self._fill(name, [key, value])
        elif name == 'GLOBAL':
            stack.append(_find(arg))
        elif name in ('REDUCE', 'NEWOBJ'):
            args, function = stack.pop(), stack.pop()
            stack.append(self._call(function, args))
        elif name == 'BUILD':
            self._build(stack.pop())
        elif name == 'BINPERSID':
            stack.append(self._storage(stack.pop()))
        elif name not in ('PROTO', 'STOP'):
            raise UnpicklingError(f'its pickle has an instruction {name}, which torch never writes')
        elif name == 'STOP' and (self._marked or len(stack) != 1):
            raise UnpicklingError('its pickle ends in the middle')

    def _top(self, number: int) -> list:
        if len(self._stack) < number:
            raise UnpicklingError('its pickle takes what is not there')
        return self._stack[-number:]

    def _fill(self, name: str, items: list) -> None:
        if name == 'TUPLE':
            self._stack.append(tuple(items))
            return
        target = self._stack[-1]
        if name in ('APPEND', 'APPENDS') and type(target) is list:
            target.extend(items)
        elif name in ('SETITEM', 'SETITEMS') and type(target) in (dict, collections.OrderedDict):
            keys = items[::2]
            if not all(isinstance(key, _SCALARS) for key in keys):
                raise UnpicklingError('it holds a dict with nested keys')
            target.update(zip(keys, items[1::2], strict=True))
        else:
            raise UnpicklingError(f'its pickle adds to a {type(target).__name__}')

    def _call(self, function: Any, args: Any) -> Any:
        if (
            not isinstance(function, _Name)
            or function.name not in _CALLS
            or type(args) is not tuple
        ):
            raise UnpicklingError(f'its pickle calls a {type(function).__name__}')
        self._copy(args)
        call = function.value
        # types of the message hub come as what they stand for
        return call(*(a.value if isinstance(a, _Name) else a for a in args))

    def _build(self, state: Any) -> None:
        target = self._stack[-1]
        if isinstance(target, PlainArray):
            self._copy(state)
            target.__setstate__(state)
            self._stack[-1] = target.view(np.ndarray)
            if id(target) in self._arrays:
                self._memo[self._arrays.pop(id(target))] = self._stack[-1]
        elif isinstance(target, (PlainDtype, PlainHistory)):
            target.__setstate__(state)
        elif isinstance(target, argparse.Namespace):
            vars(target).update({str(name): value for name, value in state.items()})
        elif type(target) is collections.OrderedDict and set(state) == {'_metadata'}:
            vars(target).update(state)  # of a state dict: versions of modules
        else:
            raise UnpicklingError(f'its pickle changes a {type(target).__name__}')

    def _storage(self, pid: Any) -> Storage:
        if type(pid) is not tuple or len(pid) < 5 or not isinstance(pid[1], _Name):
            raise UnpicklingError(f'it holds a storage {pid!r:.80}')
        dtype = _STORAGES.get(pid[1].name)
        if dtype is None:
            raise UnpicklingError(f'it holds a storage of {pid[1].name}')
        return self._find_storage(pid, dtype)

    def _copy(self, values: Any) -> None:
        """Counts what a call may copy."""
        self._to_copy -= sum(len(v) for v in values if isinstance(v, _SIZED))
        if self._to_copy < 0:
            raise UnpicklingError('its pickle makes many times its own size')


def _find(asked: str) -> Any:
    name = '.'.join(asked.split(' ', 1)).replace('__builtin__.', 'builtins.')
    if name not in _NAMES:
        raise UnpicklingError(f'it holds objects of {name}')
    known = _NAMES[name]
    return known.value if name in _DTYPES else known


def _check_nesting(value: Any, level: int, heights: dict[int, int]) -> int:
    """How many containers are in one another; those that were seen are not looked into again."""
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, (list, tuple)) and not isinstance(value, Storage):
        parts = list(value)
    elif isinstance(value, argparse.Namespace):
        parts = list(vars(value).values())
    else:
        if not isinstance(value, _PLAIN) or isinstance(value, (PlainArray, PlainHistory)):
            raise UnpicklingError(f'it holds a {type(value).__name__} that is no value')
        return 0
    if id(value) not in heights:
        if level > MAX_NESTING:
            raise UnpicklingError(f'it holds more than {MAX_NESTING} levels')
        parts = [part for part in parts if type(part) not in (int, float, str)]
        height = 1 + max((_check_nesting(p, level + 1, heights) for p in parts), default=0)
        heights[id(value)] = height
    if level + heights[id(value)] > MAX_NESTING:
        raise UnpicklingError(f'it holds more than {MAX_NESTING} levels')
    return heights[id(value)]


#: What a checkpoint consists of, beside containers.
_PLAIN = (*_SCALARS, set, Tensor, np.ndarray, np.generic, HistoryBuffer, torch.dtype, torch.device)
