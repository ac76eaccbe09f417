"""What ``torch.load`` may make of a message hub: as in ``checkpoint_pickle.py``, with classes that
set their own state, since that is how torch does it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stars_mm.utils.checkpoint_pickle import NUMBERS, PlainHistory, history_statistic
from stars_mm.utils.plain_unpickler import check_array, make_dtype, make_scalar, set_byteorder


class PlainDtype:
    """A dtype of numbers."""

    def __init__(self, name: str, *_: Any) -> None:
        self.value = make_dtype(name, kinds=NUMBERS)

    def __setstate__(self, state: tuple) -> None:
        set_byteorder(self.value, state)


class PlainArray(np.ndarray):
    """An array of numbers, which is pickled as any other."""

    def __new__(cls, *_: Any) -> 'PlainArray':
        return super().__new__(cls, 0, np.int8)

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, *rest = state
        super().__setstate__(check_array((version, shape, getattr(dtype, 'value', dtype), *rest)))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.view(np.ndarray).__reduce_ex__(protocol)


#: Name in a checkpoint → what is called for it; numpy 2 moved its functions.
MESSAGE_HUB: dict[str, Callable] = {
    'mmengine.logging.history_buffer.HistoryBuffer': PlainHistory,
    'builtins.getattr': history_statistic,
    'numpy.dtype': PlainDtype,
    'numpy.ndarray': PlainArray,
}
for _core in ('numpy.core.multiarray', 'numpy._core.multiarray'):
    MESSAGE_HUB[f'{_core}._reconstruct'] = lambda *_: PlainArray()
    MESSAGE_HUB[f'{_core}.scalar'] = lambda dtype, raw: make_scalar(dtype.value, raw)
