"""Opens pickles that hold data, and refuses those that would run something."""

import os
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from mmengine.fileio import get_local_path

from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.plain_unpickler import (
    NAMES,
    PlainUnpickler,
    Refused,
    check_dtype,
    make_bytes,
    make_set,
)
from stars_mm.utils.safe_arrays import check_shape, check_text

if TYPE_CHECKING:  # who reads arrays alone does not wait for torch
    import torch

#: numpy's own restorer of a buffer; its module differs between versions.
_frombuffer_of_numpy: Any = np.zeros(1).__reduce_ex__(5)[0]


class UnsafePickleError(InputError):
    """The file asks for more than numpy arrays and plain Python types."""


def _array_of_buffer(
    buffer: bytes | bytearray, dtype: np.dtype, shape: tuple, *order: Any
) -> np.ndarray:
    dtype = check_dtype(dtype)
    check_shape(shape, dtype, len(buffer))
    if len(buffer):  # numpy takes empty ones from no buffer
        return check_text(_frombuffer_of_numpy(buffer, dtype, shape, *order))
    return np.zeros(shape, dtype)


_NAMES = NAMES | {
    'numpy.core.numeric._frombuffer': _array_of_buffer,
    'builtins.frozenset': lambda members: frozenset(make_set(members)),
    'builtins.bytes': make_bytes,
    'builtins.bytearray': lambda *content: bytearray(make_bytes(*content)),
    'builtins.complex': complex,
}


class _TensorUnpickler(PlainUnpickler):
    """Reads what ``pickle`` makes of a tensor of torch, too."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        from stars_mm.utils.torch_file import read_storage

        names = {
            'torch.storage._load_from_bytes': read_storage,
            'torch._utils._rebuild_tensor_v2': self._tensor,
        }
        super().__init__(file, size, _NAMES | names)

    def _tensor(self, *args: Any) -> 'torch.Tensor':
        from stars_mm.utils.checkpoint_pickle import make_tensor

        tensor = make_tensor(*args)
        self.take(tensor.nbytes)
        return tensor.clone()  # lets go of the rest of the storage


def load_pickle(path: str, tensors: bool = False) -> Any:
    """Reads a pickle of numpy arrays and plain Python types.

    Files written under numpy 1 and numpy 2 are read, at any protocol and on any backend of
    mmengine; with ``tensors`` those of torch too, as in the predictions that mmengine's
    ``DumpResults`` writes.

    Raises:
        UnsafePickleError: If the file asks for anything else. Nothing of it has been run.
        InputError: If the file is no pickle, is cut off, or asks for far more memory than it has
            bytes.
        FileNotFoundError: If there is no such file.
    """
    with get_local_path(path) as local, open(local, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        try:
            with reading(path, 'It may be cut off: get or make it again.'):
                if tensors:
                    return _TensorUnpickler(file, size).make()
                return PlainUnpickler(file, size, _NAMES).make()
        except InputError as error:
            if not isinstance(error.__cause__, Refused):
                raise
            raise UnsafePickleError(
                path,
                f'refused to open, {error.__cause__}',
                'A file of data holds numpy arrays and plain Python types only, and nothing of '
                'this one has been run. Get it from a source you trust, or write it anew with '
                'numpy arrays only.',
            ) from None
