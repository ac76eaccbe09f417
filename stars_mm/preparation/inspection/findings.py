"""What is said of a file: a fault or a warning, and of which clips."""

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def shown(value: Any) -> str:
    """A value of a stranger's file on one line, without control characters."""
    return ' '.join(_REPR.repr(value).split())


def plain(name: Any, width: int = 30) -> str:
    """A name of a stranger's file, cut, without control characters."""
    text = ''.join(c if c.isprintable() else '?' for c in str(name))
    return text if len(text) <= width else text[: width - 1] + '…'


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a file, or looks so."""

    kind: str  # one word for scripts, the same for all of its kind
    message: str  # what it is, and what it means or what to do
    count: int  # how many clips, names or classes it is about
    cases: tuple[str, ...] = ()  # which ones; of missing classes the first alone


def finding(kind: str, message: str, cases: Iterable[str]) -> list[Finding]:
    """A finding about all of ``cases``, in a list; none where none is."""
    cases = list(cases)
    if not cases:
        return []
    return [Finding(kind, message, len(cases), tuple(cases))]
