"""Opens pickles that hold data, and refuses those that would run something.

A pickle is a small program: ``pickle.load`` on a stranger's file runs what the stranger likes.
numpy's own rebuilding functions are no safer: an array made from chosen bytes with a chosen dtype
may hold forged object pointers. So nothing that a file names is looked up here: names select one of
a few functions of ours, and dtypes and arrays are rebuilt from checked parts only once the file has
been read.
"""

import collections
import io
import pickle
import re
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from mmengine.fileio import get_local_path

if TYPE_CHECKING:  # who reads arrays alone does not wait for torch
    import torch

#: The dtypes of plain data: booleans, numbers, text, bytes and objects, the
#: last being lists of what this module allows.
_PLAIN_DTYPE = re.compile(r'[<>=|]?([biufc]\d{1,2}|[SU]\d{0,9}|O8?)')
#: numpy's own restorer of a buffer; its module differs between versions.
_frombuffer_of_numpy: Any = np.zeros(1).__reduce_ex__(5)[0]


class UnsafePickleError(ValueError):
    """The file asks for more than numpy arrays and plain Python types."""


class _Dtype:
    """A dtype of a pickle: made from its short name, never from its state."""

    def __init__(self, name: str, align: bool = False, copy: bool = False):
        if not isinstance(name, str) or not _PLAIN_DTYPE.fullmatch(name):
            raise UnsafePickleError(f'it holds a numpy dtype {name!r}')
        self.value = np.dtype(name)

    def __setstate__(self, state: tuple) -> None:
        _, byteorder, subdtype, names, fields = state[:5]
        if subdtype or names or fields or byteorder not in ('<', '>', '|'):
            raise UnsafePickleError('it holds a structured numpy dtype')
        if byteorder != '|':
            self.value = self.value.newbyteorder(byteorder)


class _Array:
    """An array of a pickle, until the whole file has been read."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def build(self, settle: Callable[[Any], Any]) -> np.ndarray:
        """Makes the array; ``settle`` is applied to a list of objects."""
        _, shape, dtype, is_fortran, raw = self.state
        if not isinstance(dtype, _Dtype):
            raise UnsafePickleError(f'an array has a dtype {dtype!r}')
        raw = settle(raw) if isinstance(raw, list) else raw
        array = np.ndarray((0,), np.int8)
        # numpy checks that the bytes fill the shape, and that an array of
        # objects comes with a list.
        array.__setstate__((1, shape, dtype.value, bool(is_fortran), raw))
        return array


def _array_from_buffer(buffer: bytes, dtype: _Dtype, *rest: Any) -> np.ndarray:
    return _frombuffer_of_numpy(buffer, dtype.value, *rest)


def _scalar(dtype: _Dtype, raw: bytes) -> np.generic:
    return np.frombuffer(raw, dtype.value, count=1)[0]


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise UnsafePickleError(f'it asks for the codec {encoding!r}')
    return text.encode('latin1')


def _storage(raw: bytes) -> 'torch.TypedStorage':
    import torch

    return torch.load(io.BytesIO(raw), map_location='cpu', weights_only=True)


def _tensor(
    storage: 'torch.TypedStorage', offset: int, size: tuple, stride: tuple, *_: Any
) -> 'torch.Tensor':
    import torch

    if not isinstance(storage, torch.storage.TypedStorage):
        raise UnsafePickleError(f'a tensor has a storage {storage!r}')
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    is_outside = 0 not in size and last >= storage.size()  # torch would enlarge the storage
    if is_outside or min((offset, *size, *stride)) < 0:
        raise UnsafePickleError(
            f'a tensor of size {size}, stride {stride} and offset {offset} '
            f'lies outside of its {storage.size()} values'
        )
    tensor = torch._utils._rebuild_tensor(storage, offset, size, stride)
    return tensor.clone()  # lets go of the rest of the storage


_ALLOWED: dict[tuple[str, str], Any] = {
    # The class is only ever handed to _reconstruct. It must not be callable:
    # numpy.ndarray(shape, object, bytes) makes objects out of the bytes.
    ('numpy', 'ndarray'): 'numpy.ndarray',
    ('numpy', 'dtype'): _Dtype,
    ('numpy.core.multiarray', '_reconstruct'): _Array,
    ('numpy.core.multiarray', 'scalar'): _scalar,
    ('numpy.core.numeric', '_frombuffer'): _array_from_buffer,
    ('_codecs', 'encode'): _latin1,
    ('collections', 'OrderedDict'): collections.OrderedDict,
    **{('builtins', kind.__name__): kind for kind in (set, frozenset, bytes, bytearray, complex)},
}


#: What ``pickle`` makes of a tensor of torch.
_TENSORS = {
    ('torch.storage', '_load_from_bytes'): _storage,
    ('torch._utils', '_rebuild_tensor_v2'): _tensor,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], allowed: dict[tuple[str, str], Any]) -> None:
        super().__init__(file)
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        known = module.replace('numpy._core', 'numpy.core')  # numpy 2
        known = known.replace('__builtin__', 'builtins')  # protocols 0 to 2
        if (known, name) not in self._allowed:
            raise UnsafePickleError(f'it asks for {module}.{name}')
        return self._allowed[known, name]


def _settle(value: Any, done: dict[int, Any]) -> Any:
    """Puts the arrays where their stand-ins are, in place where it can."""
    kind = type(value)
    if kind not in (_Array, _Dtype, dict, collections.OrderedDict, list, tuple):
        return value
    if id(value) in done:
        return done[id(value)]
    done[id(value)] = value  # a container may hold itself
    if kind is _Array:
        result = value.build(lambda raw: _settle(raw, done))
    elif kind is _Dtype:
        result = value.value
    elif kind is tuple:
        result = tuple(_settle(item, done) for item in value)
    else:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            value[key] = _settle(item, done)
        return value
    done[id(value)] = result
    return result


def load_pickle(path: str, tensors: bool = False) -> Any:
    """Reads a pickle of numpy arrays and plain Python types.

    Files written under numpy 1 and numpy 2 are read, at any protocol and on any backend of
    mmengine; with ``tensors`` those of torch too, as in the predictions that mmengine's
    ``DumpResults`` writes.

    Raises:
        UnsafePickleError: If the file asks for anything else. Nothing of it has been run.
        ValueError: If the file is no pickle or is cut off.
        FileNotFoundError: If there is no such file.
    """
    allowed = {**_ALLOWED, **_TENSORS} if tensors else _ALLOWED
    with get_local_path(path) as local, open(local, 'rb') as file:
        try:
            return _settle(_Unpickler(file, allowed).load(), {})
        except UnsafePickleError as error:
            raise UnsafePickleError(
                f'{path}: refused to open, {error}. A file of data holds numpy arrays and plain '
                'Python types only, and nothing of this one has been run. Get it from a source '
                'you trust, or write it anew with numpy arrays only.'
            ) from None
        except MemoryError:
            raise
        except Exception as error:  # broken bytes fail in many ways
            text = f'{path}: is no readable pickle ({type(error).__name__}: {error})'
            raise ValueError(f'{text}. It may be cut off: get or make it again.') from error
