"""Opens pickles that hold data, and refuses those that would run something.

A pickle is a small program: ``pickle.load`` on a stranger's file runs what the stranger likes.
numpy's own rebuilding functions are no safer: an array made from chosen bytes with a chosen dtype
may hold forged object pointers, and one of objects reads beyond a list that is too short. So
nothing that a file names is looked up here: names select one of a few functions of ours, which
check what they make. Of the steps of the program only those are taken that make data, by the
standard library's interpreter that is written in Python: the other one takes a file at its word
about the size of what follows, and about numbers of memo entries.
"""

import collections
import io
import math
import os
import pickle
import re
import struct
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, NoReturn

import numpy as np
from mmengine.fileio import get_local_path

from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.limits import most_bytes
from stars_mm.utils.safe_arrays import check_shape, check_text

if TYPE_CHECKING:  # who reads arrays alone does not wait for torch
    import torch

#: The dtypes of plain data: booleans, numbers, text, bytes and objects, the
#: last being lists of what this module allows.
_PLAIN_DTYPE = re.compile(r'[<>=|]?([biufc]\d{1,2}|[SU]\d{0,9}|O8?)')
#: How deep lists, tuples and dicts may lie in each other.
_DEPTH = 64
_SCALARS = (str, bytes, int, float, complex, bool, type(None))


class UnsafePickleError(InputError):
    """The file asks for more than numpy arrays and plain Python types."""


class _Refused(Exception):
    """What a pickle asks for and does not get."""


class _Dtype:
    """A dtype of a pickle: made from its short name, never from its state."""

    def __init__(self, name: str, align: bool = False, copy: bool = False):
        if not isinstance(name, str) or not _PLAIN_DTYPE.fullmatch(name):
            raise _Refused(f'it holds a numpy dtype {str(name)[:40]!r}')
        self.value = np.dtype(name)

    def set(self, state: tuple) -> None:
        """Takes the byte order, and nothing else, of numpy's state of a dtype."""
        _, byteorder, subdtype, names, fields = state[:5]
        if subdtype or names or fields or byteorder not in ('<', '>', '|'):
            raise _Refused('it holds a structured numpy dtype')
        if byteorder != '|':
            self.value = self.value.newbyteorder(byteorder)


class _Array:
    """An array of a pickle, until the whole file has been read."""

    def __init__(self, *_: Any) -> None:
        self.value: np.ndarray | None = None

    def set(self, state: tuple) -> None:
        """Makes the array of numpy's state of one."""
        _, shape, dtype, is_fortran, raw = state
        if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
            raise _Refused(f'an array has a dtype {type(dtype).__name__}')
        order: Any = 'F' if is_fortran else 'C'
        if dtype.value.hasobject:
            if not isinstance(raw, list):
                raise _Refused('an array of objects comes with no list of them')
            check_shape(shape, np.dtype('u1'), len(raw))
            flat = np.empty(len(raw), object)
            for place, item in enumerate(raw):
                flat[place] = item
            self.value = flat.reshape(shape, order=order)
        else:
            if not isinstance(raw, bytes):
                raise _Refused(f'an array of {dtype.value} comes with a {type(raw).__name__}')
            check_shape(shape, dtype.value, len(raw))
            array: Any = np.ndarray((0,), np.int8)
            # which, unlike numpy.frombuffer, gives an array that can be written to
            array.__setstate__((1, shape, dtype.value, bool(is_fortran), raw))
            self.value = check_text(array)


#: numpy's own restorer of a buffer; its module differs between versions.
_frombuffer_of_numpy: Any = np.zeros(1).__reduce_ex__(5)[0]
#: The interpreter is no documented name, but has been there since Python 3.0.
_Interpreter: Any = pickle._Unpickler
#: Steps that make objects of classes, or have others make them.
_REFUSED = (
    *(pickle.PERSID, pickle.BINPERSID, pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX),
    *(pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
)


class _File:
    """A file that is asked for no more bytes than it has, since these take memory before they are
    read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self.readline = file, size, file.readline

    def read(self, count: int) -> bytes:
        if count > 1024 and count > self._size - self._file.tell():
            raise EOFError(f'{count} bytes should follow')
        return self._file.read(count)


class _Unpickler(_Interpreter):
    """Makes data of a pickle of ``size`` bytes, with stand-ins for arrays and dtypes."""

    dispatch = {**_Interpreter.dispatch}

    def __init__(self, file: IO[bytes], size: int, tensors: bool) -> None:
        super().__init__(_File(file, size))
        self._most, self._taken = most_bytes(size), 0
        known = {**_NAMES, **(_TENSOR_NAMES if tensors else {})}
        self._known = {
            name: getattr(self, made)
            if made.startswith('_make')
            else globals().get(made, complex if made == 'complex' else made)
            for name, made in known.items()
        }

    def find_class(self, module: str, name: str) -> Any:
        known = module.replace('numpy._core', 'numpy.core')  # numpy 2
        known = known.replace('__builtin__', 'builtins')  # protocols 0 to 2
        if (known, name) not in self._known:
            raise _Refused(f'it asks for {module[:80]}.{name[:80]}')
        return self._known[known, name]

    def _take(self, count: int) -> None:
        """Counts bytes that are made of others of the file, which may be used again and again."""
        self._taken += count
        if self._taken > self._most:
            raise ValueError('it makes far more data than it holds')

    def refuse(self) -> NoReturn:
        """Stands for the steps that make no data."""
        raise _Refused('it makes an object')

    def load_build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if type(made) not in (_Dtype, _Array):
            raise _Refused(f'it sets the state of a {type(made).__name__}')
        if type(made) is _Array:
            self._take(len(state[-1]))
        made.set(state)

    def load_bytearray8(self) -> None:
        (count,) = struct.unpack('<Q', self.read(8))
        self.append(bytearray(self.read(count)))

    def load_setitem(self) -> None:
        _check_keys(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        _check_keys(self.stack[::2])  # of those since the mark
        super().load_setitems()

    def load_dict(self) -> None:
        _check_keys(self.stack[::2])
        super().load_dict()

    def load_additems(self) -> None:
        _check_keys(self.stack)
        super().load_additems()

    def load_frozenset(self) -> None:
        _check_keys(self.stack)
        super().load_frozenset()

    def _make_bytes(self, content: bytes | str = b'', encoding: str = 'latin1') -> bytes:
        if isinstance(content, str):
            if encoding not in ('latin1', 'latin-1'):
                raise _Refused(f'it asks for the codec {encoding[:40]!r}')
            content = content.encode('latin1')
        if not isinstance(content, bytes):
            raise _Refused(f'it makes bytes of a {type(content).__name__}')
        self._take(len(content))
        return content

    def _make_bytearray(self, *content: Any) -> bytearray:
        return bytearray(self._make_bytes(*content))

    def _make_set(self, items: list) -> set:
        _check_keys(items)
        self._take(32 * len(items))
        return set(items)

    def _make_frozenset(self, items: list) -> frozenset:
        return frozenset(self._make_set(items))

    def _make_ordered(self, items: Sequence[tuple] = ()) -> collections.OrderedDict:
        _check_keys([key for key, _ in items])
        self._take(64 * len(items))
        return collections.OrderedDict(items)

    def _make_array_of_buffer(
        self, buffer: bytes | bytearray, dtype: _Dtype, shape: tuple, *order: Any
    ) -> np.ndarray:
        check_shape(shape, dtype.value, len(buffer))
        if len(buffer):  # numpy takes empty ones from no buffer
            return check_text(_frombuffer_of_numpy(buffer, dtype.value, shape, *order))
        return np.zeros(shape, dtype.value)

    def _make_scalar(self, dtype: _Dtype, raw: bytes) -> np.generic:
        check_shape((), dtype.value, len(raw))
        return check_text(np.frombuffer(raw, dtype.value) if raw else np.zeros(1, dtype.value))[0]

    def _make_storage(self, raw: bytes) -> 'torch.TypedStorage':
        import torch

        if raw[:2] == b'PK':  # zipped: torch pickles a storage otherwise
            raise _Refused('it holds another file')
        return torch.load(io.BytesIO(raw), map_location='cpu', weights_only=True)

    def _make_tensor(
        self, storage: 'torch.TypedStorage', offset: int, size: tuple, stride: tuple, *_: Any
    ) -> 'torch.Tensor':
        import torch

        if not isinstance(storage, torch.storage.TypedStorage):
            raise _Refused(f'a tensor has a storage {type(storage).__name__}')
        last = offset + sum((n - 1) * step for n, step in zip(size, stride))
        is_outside = 0 not in size and last >= storage._size()  # torch would enlarge the storage
        if is_outside or min((offset, *size, *stride)) < 0 or len(size) != len(stride):
            raise _Refused(
                f'a tensor of size {size}, stride {stride} and offset {offset} '
                f'lies outside of its {storage._size()} values'
            )
        self._take(math.prod(size) * storage._element_size())
        tensor = torch._utils._rebuild_tensor(storage, offset, size, stride)
        return tensor.clone()  # lets go of the rest of the storage


for _code in ('BUILD', 'BYTEARRAY8', 'SETITEM', 'SETITEMS', 'DICT', 'ADDITEMS', 'FROZENSET'):
    _Unpickler.dispatch[getattr(pickle, _code)[0]] = getattr(_Unpickler, f'load_{_code.lower()}')
for _code in _REFUSED:
    _Unpickler.dispatch[_code[0]] = _Unpickler.refuse

#: What a pickle may ask for → what it gets: a class of this module or a method of its reader.
_NAMES = {
    # The class is only ever handed to _reconstruct. It must not be callable:
    # numpy.ndarray(shape, object, bytes) makes objects out of the bytes.
    ('numpy', 'ndarray'): 'numpy.ndarray',
    ('numpy', 'dtype'): '_Dtype',
    ('numpy.core.multiarray', '_reconstruct'): '_Array',
    ('numpy.core.multiarray', 'scalar'): '_make_scalar',
    ('numpy.core.numeric', '_frombuffer'): '_make_array_of_buffer',
    ('_codecs', 'encode'): '_make_bytes',
    ('collections', 'OrderedDict'): '_make_ordered',
    ('builtins', 'set'): '_make_set',
    ('builtins', 'frozenset'): '_make_frozenset',
    ('builtins', 'bytes'): '_make_bytes',
    ('builtins', 'bytearray'): '_make_bytearray',
    ('builtins', 'complex'): 'complex',
}
#: What ``pickle`` makes of a tensor of torch.
_TENSOR_NAMES = {
    ('torch.storage', '_load_from_bytes'): '_make_storage',
    ('torch._utils', '_rebuild_tensor_v2'): '_make_tensor',
}


def _check_keys(keys: Sequence) -> None:
    """Refuses keys whose hash may take for ever, or the whole stack: tuples within tuples."""
    for key in keys:
        for part in key if type(key) is tuple else (key,):
            if not isinstance(part, (*_SCALARS, np.generic)):
                raise _Refused(f'a key or a member of a set is a {type(part).__name__}')


class _Settler:
    """Puts the arrays where their stand-ins are, in place where it can.

    Args:
        most (int): So many bytes may all be together, what is there several times counted as
            often: whoever goes through the data, or copies it, meets it so often.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        #: Stand-in or container → itself, so that no other gets its number; what takes its place,
        #: and its bytes.
        self._done: dict[int, tuple[Any, Any, int]] = {}

    def settle(self, value: Any, depth: int = 0) -> tuple[Any, int]:
        """What takes the place of a value, and its bytes."""
        kind = type(value)
        if kind not in (_Array, dict, list, tuple, collections.OrderedDict):
            if kind is _Dtype:
                return value.value, 8
            if kind in (str, bytes, bytearray, set, frozenset):
                return value, 8 + len(value)
            return value, getattr(value, 'nbytes', 8)
        known = self._done.get(id(value))
        if known is None:
            if depth > _DEPTH:
                raise ValueError(f'its lists lie in each other more than {_DEPTH} deep')
            self._done[id(value)] = value, None, -1
            known = self._done[id(value)] = value, *self._settle(value, depth + 1)
        _, result, size = known
        if size < 0:
            raise ValueError(f'a {kind.__name__} holds itself')
        return result, size

    def _settle(self, value: Any, depth: int) -> tuple[Any, int]:
        total = 8
        if type(value) is _Array:
            array = value.value
            if array is None:
                raise ValueError('an array has no values')
            if not array.dtype.hasobject:
                return array, total + array.nbytes
            flat = array.reshape(-1, order='A')
            for place, item in enumerate(flat):
                flat[place], size = self.settle(item, depth)
                total += size
            result = array
        elif type(value) is tuple:
            items = [self.settle(item, depth) for item in value]
            total += sum(size for _, size in items)
            result = tuple(item for item, _ in items)
        else:
            result = value
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                value[key], size = self.settle(item, depth)
                total += size
        if total > self._most:
            raise ValueError('it refers to its own data again and again')
        return result, total


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
                found = _Unpickler(file, size, tensors).load()
                return _Settler(most_bytes(size)).settle(found)[0]
        except InputError as error:
            if not isinstance(error.__cause__, _Refused):
                raise
            raise UnsafePickleError(
                path,
                f'refused to open, {error.__cause__}',
                'A file of data holds numpy arrays and plain Python types only, and nothing of '
                'this one has been run. Get it from a source you trust, or write it anew with '
                'numpy arrays only.',
            ) from None
