"""What a checkpoint may hold beside tensors and plain values, by constructors that check.

numpy's own are no safer than a function of a stranger: an array of chosen bytes with a chosen dtype
holds forged pointers.
"""

import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from mmengine.logging import HistoryBuffer

_NUMBERS = re.compile(r'[<>=|]?[biufc]\d{1,2}')


class PlainDtype:
    """A dtype of numbers: made from its short name, never from its state."""

    def __init__(self, name: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(name, str) or not _NUMBERS.fullmatch(name):
            raise pickle.UnpicklingError(f'it holds a numpy dtype {name!r}')
        self.value = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        _, byteorder, subdtype, names, fields = state[:5]
        if subdtype or names or fields or byteorder not in ('<', '>', '|'):
            raise pickle.UnpicklingError('it holds a structured numpy dtype')
        if byteorder != '|':
            self.value = self.value.newbyteorder(byteorder)


class PlainArray(np.ndarray):
    """An array of numbers, which is pickled as any other."""

    def __new__(cls, *_: Any) -> 'PlainArray':
        return super().__new__(cls, 0, np.int8)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, raw = state
        sizes_fit = type(shape) is tuple and all(type(n) is int and n >= 0 for n in shape)
        if not (sizes_fit and isinstance(dtype, PlainDtype) and isinstance(raw, bytes)):
            raise pickle.UnpicklingError(f'it holds an array of shape {shape!r} and dtype {dtype}')
        # numpy checks that the bytes fill the shape
        checked: Any = (1, shape, dtype.value, bool(is_fortran), raw)
        super().__setstate__(checked)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)


class PlainHistory(HistoryBuffer):
    """A ``HistoryBuffer`` until its state is known to be its numbers."""

    def __setstate__(self, state: dict) -> None:
        names = ('_log_history', '_count_history')
        arrays = [np.asarray(state[name]).view(np.ndarray) for name in names]
        length = state['max_length']
        if {(a.ndim, len(a)) for a in arrays} != {(1, arrays[0].size)} or type(length) is not int:
            raise pickle.UnpicklingError('it holds a history whose values have no counts')
        # not its `statistics_methods`, which mmengine would put into the class
        self.__dict__.update(zip(names, arrays), max_length=length)
        self.__class__ = HistoryBuffer


def new_array(*_: Any) -> PlainArray:
    """numpy's ``_reconstruct``."""
    return PlainArray()


def new_scalar(dtype: PlainDtype, raw: bytes) -> np.generic:
    """numpy's ``scalar``."""
    if not isinstance(dtype, PlainDtype) or len(raw) != dtype.value.itemsize:
        raise pickle.UnpicklingError(f'it holds a number of dtype {dtype}')
    return np.frombuffer(raw, dtype.value)[0]


def history_statistic(owner: type, name: str) -> Any:
    """The ``getattr`` of checkpoints, which names methods of ``HistoryBuffer``: the real one would
    let a file reach anything."""
    if owner is PlainHistory and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'it asks for {name!r} of {owner!r}')


#: What mmengine's message hub holds, by the names in a checkpoint; numpy 2 moved its functions.
MESSAGE_HUB: dict[str, Callable] = {
    'mmengine.logging.history_buffer.HistoryBuffer': PlainHistory,
    'builtins.getattr': history_statistic,
    'numpy.dtype': PlainDtype,
    'numpy.ndarray': PlainArray,
    **{f'numpy.{core}.multiarray._reconstruct': new_array for core in ('core', '_core')},
    **{f'numpy.{core}.multiarray.scalar': new_scalar for core in ('core', '_core')},
}
