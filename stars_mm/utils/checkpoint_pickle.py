"""Reads the pickle in a file of ``torch.save``, of which nothing runs.

torch's safe loader follows more: that of 2.13 calls ``bytearray(3_000_000_000)`` and
``torch.FloatTensor(10**10)``, hashes what is nested without end, and an environment variable
switches it off.
"""

import argparse
import collections
import functools
import math
import pickle
from collections.abc import Callable, Iterable
from typing import IO, Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from stars_mm.utils.input_error import shown
from stars_mm.utils.plain_unpickler import NAMES, Asked, PlainUnpickler, Refused, Steps, make_dtype

#: More than the optimizer of a thousand layers takes.
MAX_STEPS = 1_000_000
#: Of arrays: the message hub's are of numbers.
NUMBERS = 'biufc'


class Storage(Asked):
    """Bytes of a file, (n,) uint8, and what they are taken for."""

    def __init__(self, raw: Tensor, dtype: torch.dtype) -> None:
        self.raw, self.dtype = raw, dtype


def make_tensor(
    storage: Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool, *rest: Any
) -> Tensor:
    """torch's ``_rebuild_tensor_v2`` and, with a dtype, ``_rebuild_tensor_v3``."""
    if not isinstance(storage, Storage):
        raise Refused(f'a tensor has a storage {type(storage).__name__}')
    dtype, metadata = storage.dtype, None
    for value in rest[1:]:  # after the hooks
        dtype, metadata = (value, metadata) if isinstance(value, torch.dtype) else (dtype, value)
    available = storage.raw.numel() // dtype.itemsize
    numbers = (offset, *size, *stride)
    if any(type(n) is not int or n < 0 for n in numbers) or len(size) > 64 or metadata:
        raise Refused(f'it holds a tensor of size {shown(size)}, stride {shown(stride)}')
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(max(n, 1) for n in size)
    is_outside = 0 not in size and (last >= available or count > available)
    if is_outside or max(count, last) >= 2**48:
        raise Refused(
            f'it holds a tensor of size {shown(size)}, stride {shown(stride)} and offset {offset}, '
            f'of a storage with {available} values'
        )
    tensor = torch.empty(0, dtype=dtype, device=storage.raw.device)
    tensor.set_(storage.raw.untyped_storage(), offset, size, stride)
    return tensor.requires_grad_(bool(requires_grad))


def make_size(size: list | tuple) -> torch.Size:
    """``torch.Size``, of no tensor, of which each value would become an object."""
    if type(size) not in (list, tuple):
        raise Refused(f'it holds a size {type(size).__name__}')
    return torch.Size([int(n) for n in size])


class PlainHistory(Asked, HistoryBuffer):
    """A ``HistoryBuffer`` until its state is known to be its numbers."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: dict) -> None:
        names, length = ('_log_history', '_count_history'), state['max_length']
        arrays = [state[name] for name in names]
        are_numbers = all(isinstance(a, np.ndarray) and a.dtype.kind in NUMBERS for a in arrays)
        is_fit = are_numbers and {a.shape for a in arrays} == {(arrays[0].size,)}
        if not is_fit or type(length) is not int:
            raise Refused('it holds a history whose values have no counts')
        # not its `statistics_methods`, which mmengine would put into the class
        arrays = [array.view(np.ndarray) for array in arrays]
        self.__dict__.update(zip(names, arrays), max_length=length)
        self.__class__ = HistoryBuffer


def history_statistic(owner: Any, name: str) -> str:
    """The ``getattr`` of checkpoints, which names methods of ``HistoryBuffer``: the real one would
    let a file reach anything."""
    if getattr(owner, 'make', owner) is PlainHistory and name in ('min', 'max', 'current', 'mean'):
        return name
    raise Refused(f'it asks for {shown(name)} of {shown(getattr(owner, "asked", owner))}')


_DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
#: The dtypes of storages.
_STORAGES = {
    **dict(Double='float64', Float='float32', Half='float16', BFloat16='bfloat16', Long='int64'),
    **dict(Int='int32', Short='int16', Char='int8', Byte='uint8', Bool='bool'),
    **dict(ComplexFloat='complex64', ComplexDouble='complex128'),
}
_NAMES = {
    **NAMES,
    **_DTYPES,
    'torch.storage.UntypedStorage': torch.uint8,
    **{f'torch.{kind}Storage': getattr(torch, dtype) for kind, dtype in _STORAGES.items()},
    'torch._utils._rebuild_tensor_v2': make_tensor,
    'torch._utils._rebuild_tensor_v3': make_tensor,
    'torch._utils._rebuild_parameter': lambda data, grad, _: nn.Parameter(data, bool(grad)),
    'torch.Size': make_size,
    'torch.device': torch.device,
    'collections.Counter': lambda counts: collections.Counter(  # milestones of a schedule
        {key: int(count) for key, count in counts.items()}
    ),
    'argparse.Namespace': lambda: argparse.Namespace(),  # the authors' command line
    'mmengine.logging.history_buffer.HistoryBuffer': PlainHistory,
    'builtins.getattr': history_statistic,
    'numpy.dtype': functools.partial(make_dtype, kinds=NUMBERS),
}


class _Counted(Steps):
    """So many steps are taken."""

    def __init__(self, steps: dict) -> None:
        super().__init__(steps)
        self._left = MAX_STEPS

    def __getitem__(self, code: int) -> Callable:
        self._left -= 1
        if self._left < 0:
            raise Refused(f'its pickle has more than {MAX_STEPS} instructions')
        return super().__getitem__(code)


class CheckpointUnpickler(PlainUnpickler):
    """Reads one pickle of a file of ``size`` bytes.

    ``find_storage`` is called with what a pickle says of a storage, ``('storage', …)``, and its
    dtype.
    """

    #: Objects are made by a step of their own, too.
    dispatch = Steps({**PlainUnpickler.dispatch, pickle.NEWOBJ[0]: PlainUnpickler.load_reduce})

    def __init__(
        self, file: IO[bytes], size: int, find_storage: Callable[[tuple, torch.dtype], Storage]
    ) -> None:
        super().__init__(file, size, _NAMES)
        self._left = 4 * size + 1_000_000
        self._find_storage = find_storage
        self.dispatch = _Counted(self.dispatch)

    def persistent_load(self, pid: Any = None) -> Storage:
        is_pid = type(pid) is tuple and [type(part) for part in pid[1:3]] == [torch.dtype, str]
        if not is_pid or len(pid) < 5:
            raise Refused(f'it holds a storage {shown(pid)}')
        return self._find_storage(pid, pid[1])

    def set_state(self, made: Any, state: Any) -> None:
        if isinstance(made, PlainHistory):
            made.__setstate__(state)
        elif isinstance(made, argparse.Namespace):
            vars(made).update({str(name): value for name, value in state.items()})
        elif type(made) is collections.OrderedDict and set(state) == {'_metadata'}:
            vars(made).update(state)  # of a state dict: versions of modules
        else:
            super().set_state(made, state)

    def parts(self, value: Any) -> Iterable | None:
        if isinstance(value, argparse.Namespace):
            return vars(value).values()
        return super().parts(value)
