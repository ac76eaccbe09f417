"""Follows the steps of a pickle that make data, and refuses those that would run something.

A pickle is a small program: ``pickle.load`` on a stranger's file runs what the stranger likes.
numpy's own rebuilding functions are no safer: an array made from chosen bytes with a chosen dtype
may hold forged object pointers, and one of objects reads beyond a list that is too short. So
nothing that a file names is looked up here: names select one of a few functions of ours, which
check what they make. The steps are followed by the standard library's interpreter that is written
in Python: the other one takes a file at its word about the size of what follows, and about numbers
of memo entries.
"""

import collections
import io
import pickle
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pickle import UnpicklingError
from typing import IO, Any, NoReturn

import numpy as np

from stars_mm.utils.input_error import shown
from stars_mm.utils.limits import most_bytes
from stars_mm.utils.safe_arrays import check_shape, check_text

MAX_NESTING = 64
_TEXT = (str, bytes, bytearray, set, frozenset)
_DICTS = (dict, collections.OrderedDict)
_KEYS = {str, bytes, int, float, complex, bool, type(None)}
#: The interpreter is no documented name, but has been there since Python 3.0.
_Interpreter: Any = pickle._Unpickler
#: Steps that make objects of classes, or have others make them.
_REFUSED = (
    *(pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2),
    *(pickle.EXT4, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
)


class Refused(UnpicklingError):
    """What a pickle asks for and does not get."""


class Asked:
    """What stands for something on the way, and is no value."""


class Name(Asked):
    """What a file names: only ever called, never changed."""

    def __init__(self, asked: str, make: Callable | None = None) -> None:
        self.asked, self.make = asked, make


class _File:
    """A file that is asked for no more bytes than it has, since these take memory before they are
    read."""

    def __init__(self, file: IO[bytes]) -> None:
        start = file.tell()
        self._file, self._end, self.readline = file, file.seek(0, io.SEEK_END), file.readline
        file.seek(start)

    def read(self, count: int) -> bytes:
        if count <= 1024 or count <= self._end - self._file.tell():
            content = self._file.read(count)
            if len(content) == count:
                return content
        left = self._end - self._file.tell()
        raise EOFError(f'before its STOP {count} bytes should follow, but only {left} remain')


class Steps(dict):
    """The steps by their codes."""

    def __missing__(self, code: int) -> NoReturn:
        raise Refused(f'{code} is no opcode of a pickle')


class PlainUnpickler(_Interpreter):
    """Makes what a pickle describes, by functions that check.

    Args:
        file (file): Stands at the beginning of the pickle, and after :meth:`make` at its end.
        size (int): Bytes of the file, and of those that belong to it.
        names (Mapping): What a pickle may ask for: name → function, value, or None for what is
            only ever handed to functions.

    Raises:
        UnpicklingError: If it asks for anything else.
        ValueError: If it asks for more than its size explains; other errors where it is broken.
    """

    dispatch = Steps(_Interpreter.dispatch)

    def __init__(self, file: IO[bytes], size: int, names: Mapping[str, Any]) -> None:
        super().__init__(_File(file), encoding='latin1')
        self._most = self._left = most_bytes(size)
        self._names = names
        self._weighed: dict[int, tuple[int, int]] = {}

    def make(self) -> Any:
        """What the pickle describes, with limits to its size and its levels."""
        found = self.load()
        self._weigh([found], 0)
        return found

    def find_class(self, module: str, name: str) -> Any:
        # numpy 2; protocols 0 to 2
        known = f'{module}.{name}'.replace('numpy._core.', 'numpy.core.')
        known = known.replace('__builtin__.', 'builtins.')
        if known not in self._names:
            asked = f'{module[:80]}.{name[:80]}'
            raise Refused(f'it holds objects of a kind that is not read, it asks for {asked}')
        value = self._names[known]
        return Name(known, value) if value is None or callable(value) else value

    def persistent_load(self, pid: Any = None) -> Any:
        """Stands for the steps that make no data, too."""
        raise Refused('it makes an object')

    def take(self, count: int) -> None:
        """Counts bytes that are made of others of the file, which may be used again and again."""
        self._left -= count
        if self._left < 0:
            raise ValueError('it makes many times its own size of data')

    def load_reduce(self) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Name) or not function.make or type(args) is not tuple:
            raise Refused(f'it calls {getattr(function, "asked", type(function).__name__)}')
        for arg in args:
            if type(arg) in (str, bytes, bytearray):
                self.take(len(arg))
            elif type(arg) in (list, tuple, *_DICTS):
                self.take(64 * len(arg))
            elif isinstance(arg, np.ndarray):  # of which each value would become an object
                raise Refused(f'it calls {function.asked} with an array')
        self.append(function.make(*args))

    def load_build(self) -> None:
        state = self.stack.pop()
        self.set_state(self.stack[-1], state)

    def set_state(self, made: Any, state: Any) -> None:
        """Sets the state of what has been made."""
        if isinstance(made, np.dtype):
            set_byteorder(made, state)
        elif type(made) is np.ndarray and made.dtype.kind == 'V':
            self.take(len(state[-1]))
            made.__setstate__(check_array(state))
            check_text(made)
        else:
            raise Refused(f'it sets the state of a {type(made).__name__}')

    def load_bytearray8(self) -> None:
        (count,) = struct.unpack('<Q', self.read(8))
        self.append(bytearray(self.read(count)))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def load_setitems(self) -> None:
        self._update(self.pop_mark())

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._update(items)

    def load_empty_set(self) -> None:
        self.take(216)
        self.append(set())

    def load_additems(self) -> None:
        members = self.pop_mark()
        self._target(set).update(check_keys(members))

    def load_frozenset(self) -> None:
        members = self.pop_mark()
        self.append(frozenset(check_keys(members)))

    def _update(self, items: list) -> None:
        keys = check_keys(items[::2])
        self._target(*_DICTS).update(zip(keys, items[1::2], strict=True))

    def _target(self, *kinds: type) -> Any:
        if type(self.stack[-1]) not in kinds:
            raise Refused(f'it adds to a {type(self.stack[-1]).__name__}')
        return self.stack[-1]

    def parts(self, value: Any) -> Iterable | None:
        """What a container holds; None of any other value."""
        if isinstance(value, (list, tuple)):
            return value
        if isinstance(value, dict):  # one of weights has attributes
            return (*value.values(), *getattr(value, '__dict__', {}).values())
        if type(value) is np.ndarray and value.dtype.hasobject:
            return value.flat
        return None

    def _weigh(self, value: Any, level: int) -> tuple[int, int]:
        """Bytes of a value and levels in it, what is there several times counted as often: whoever
        goes through the data, or copies it, meets it so often."""
        parts = self.parts(value)
        if parts is None:
            if isinstance(value, Asked):
                raise Refused(f'it holds a {type(value).__name__} that is no value')
            if type(value) is np.ndarray and value.dtype.kind == 'V':
                raise ValueError('an array has no values')
            return 8 + (len(value) if type(value) in _TEXT else getattr(value, 'nbytes', 0)), 0
        found = self._weighed.get(id(value))
        if found is None:
            self._weighed[id(value)] = 0, MAX_NESTING + 1  # in itself
            size, height = 8, 0
            if level <= MAX_NESTING:
                for part in parts:
                    if type(part) is int or type(part) is float:
                        size += 8
                        continue
                    more, levels = self._weigh(part, level + 1)
                    size, height = size + more, max(height, levels)
            found = self._weighed[id(value)] = size, height + 1
        if level + found[1] > MAX_NESTING + 1:
            raise ValueError(f'it is nested more than {MAX_NESTING} levels deep, or holds itself')
        if found[0] > self._most:
            raise ValueError('it refers to its own data again and again')
        return found


for _name in vars(PlainUnpickler):
    if _name.startswith('load_'):
        _code = getattr(pickle, _name.removeprefix('load_').upper())
        PlainUnpickler.dispatch[_code[0]] = getattr(PlainUnpickler, _name)
for _code in _REFUSED:
    PlainUnpickler.dispatch[_code[0]] = PlainUnpickler.persistent_load


def check_keys(keys: list) -> list:
    """Gives keys back, unless their hash may take for ever, or the whole stack: of tuples within
    tuples."""
    for key in keys:
        if type(key) not in _KEYS:
            for part in key if type(key) is tuple and len(key) < 10 else (key,):
                if type(part) not in _KEYS and not isinstance(part, np.generic):
                    raise Refused('it holds a dict with nested keys, or a set of nested values')
    return keys


def make_dtype(name: str, *_: Any, kinds: str = 'biufcSUO') -> np.dtype:
    """numpy's ``dtype``, of its short name: booleans, numbers, text, bytes and objects, the last
    being lists of what is allowed."""
    if not isinstance(name, str) or not re.fullmatch(rf'[<>=|]?[{kinds}]\d{{0,9}}', name):
        raise Refused(f'it holds a numpy dtype {shown(name)}')
    return np.dtype(name, copy=True)  # its state is set


def set_byteorder(dtype: Any, state: tuple) -> None:
    """Takes the byte order, and nothing else, of numpy's state of a dtype."""
    _, byteorder, subdtype, names, fields = state[:5]
    if subdtype or names or fields or byteorder not in ('<', '>', '|'):
        raise Refused('it holds a structured numpy dtype')
    if byteorder != '|':
        version, _, *rest = dtype.__reduce__()[2]
        dtype.__setstate__((version, byteorder, *rest))


def make_array(*_: Any) -> np.ndarray:
    """numpy's ``_reconstruct``: an array without values, which its dtype tells, until its state is
    set."""
    return np.ndarray((0,), 'V1')


def check_dtype(dtype: Any) -> np.dtype:
    """A dtype as it is, whatever the file does to it afterwards."""
    if not isinstance(dtype, np.dtype):
        raise Refused(f'an array has a dtype {type(dtype).__name__}')
    return np.dtype(dtype.str)


def check_array(state: tuple) -> Any:
    """numpy's state of an array, if it can be one."""
    version, shape, dtype, is_fortran, raw = state
    dtype = check_dtype(dtype)
    if type(raw) is not (list if dtype.hasobject else bytes):
        raise Refused(f'an array of {dtype} comes with a {type(raw).__name__}')
    check_shape(shape, np.dtype('u1') if dtype.hasobject else dtype, len(raw))
    return version, shape, dtype, bool(is_fortran), raw


def make_scalar(dtype: np.dtype, raw: bytes) -> np.generic:
    """numpy's ``scalar``."""
    dtype = check_dtype(dtype)
    check_shape((), dtype, len(raw))
    return check_text(np.frombuffer(raw, dtype) if raw else np.zeros(1, dtype))[0]


def make_bytes(content: bytes | str = b'', encoding: str = 'latin1') -> bytes:
    """``bytes`` of bytes, and what protocols 0 to 2 have instead."""
    if isinstance(content, str):
        if encoding not in ('latin1', 'latin-1'):
            raise Refused(f'it asks for the codec {shown(encoding)}')
        content = content.encode('latin1')
    if not isinstance(content, bytes):
        raise Refused(f'it makes bytes of a {type(content).__name__}')
    return content


def make_set(members: list) -> set:
    """``set``, of a list."""
    return set(check_keys(members))


def make_ordered(items: Sequence[tuple] = ()) -> collections.OrderedDict:
    """``OrderedDict``."""
    check_keys([key for key, _ in items])
    return collections.OrderedDict(items)


#: What any pickle may ask for, by its name for it.
NAMES = {
    'numpy.ndarray': None,  # numpy.ndarray(shape, object, bytes) makes objects out of the bytes
    'numpy.dtype': make_dtype,
    'numpy.core.multiarray._reconstruct': make_array,
    'numpy.core.multiarray.scalar': make_scalar,
    '_codecs.encode': make_bytes,
    'collections.OrderedDict': make_ordered,
    'builtins.set': make_set,
}
