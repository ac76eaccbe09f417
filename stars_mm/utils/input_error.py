import errno
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


class InputError(ValueError):
    """A file, or a part of one, that cannot be used.

    Args:
        path (str or Path): The file.
        problem (str): What is wrong with it: words that go on after a colon.
        remedy (str): What to do, a sentence.
        clip (str, optional): The clip, or another part of the file, that is meant.

    Attributes:
        path (str): The file.
        clip (str or None): The part.
    """

    def __init__(self, path: object, problem: str, remedy: str = '', clip: object = None) -> None:
        self.path = str(path)
        self.clip = None if clip is None else str(clip)
        self._arguments = path, problem, remedy, clip  # processes hand errors on
        where = self.path if clip is None else f'{path}: {clip}'
        super().__init__(f'{where}: {problem.rstrip(".")}.' + (f' {remedy}' if remedy else ''))

    def __reduce__(self) -> tuple:
        return type(self), self._arguments


@contextmanager
def reading(path: object, remedy: str = '', clip: object = None) -> Iterator[None]:
    """Raise an :class:`InputError` that names ``path`` in place of whatever broken content makes a
    reader raise, the latter as its cause. A plain ValueError is taken to say in words what is
    wrong.

    Errors of the system stay what they are, and name the file; one that asks for more
    than there is memory is broken content, too.
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # broken content names a place that is none
            raise InputError(path, _told(path, error), remedy, clip) from error
        if error.filename is None:  # a disk that fails does not say where
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
    except Exception as error:  # broken bytes fail in many ways
        raise InputError(path, _told(path, error), remedy, clip) from error


def shown(value: object) -> str:
    """A value of a stranger's file on one line of a message."""
    return ' '.join(_REPR.repr(value).split())


def printable(name: object) -> str:
    """A name of a stranger's file without control characters, which a terminal would obey."""
    return ''.join(c if c.isprintable() else '?' for c in str(name))


def _told(path: object, error: Exception) -> str:
    """What a reader says is wrong in words, or the error of another kind."""
    if type(error) is ValueError and str(error):
        return str(error).removeprefix(f'{path}: ')
    text = str(error).splitlines()[0] if str(error) else ''
    return f'cannot be read ({type(error).__name__}{": " if text else ""}{text})'
