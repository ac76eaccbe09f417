"""How far long work is: a bar on a terminal, one line in a pipe."""

import sys
import time
from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import Any, TypeVar

T = TypeVar('T')

#: Work that takes no longer (seconds) shows nothing.
PATIENCE = 1.0
#: The bar is drawn anew no more often (seconds).
INTERVAL = 0.1


class Progress:
    """Shows on standard error how much of some work is done.

    On a terminal a bar comes up, and goes when the work is done. What stays there, and all that is
    written elsewhere, is one line at the end, with the time that it took. Work that fails or takes
    less than a second leaves none.

    It draws when it is updated, without a thread of its own: the work may start processes.

    Args:
        total (int): How much there is to do; 0 where that is not known.
        what (str): What is done, for instance 'recordings converted'.
    """

    def __init__(self, total: int, what: str) -> None:
        self.total, self.what = total, what
        self.done = 0
        self._bar: Any = None  # rich's, which takes a while to import
        self._begin = self._drawn = time.monotonic()

    def __enter__(self) -> 'Progress':
        return self

    def update(self, count: int = 1) -> None:
        """So much more is done."""
        self.done += count
        now = time.monotonic()
        if now - self._begin < PATIENCE or not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar = _make_bar()
            self._bar.add_task(self.what, total=self.total or None)
            self._bar.start()
        if now - self._drawn >= INTERVAL:
            self._bar.update(0, completed=self.done, refresh=True)
            self._drawn = now

    def __exit__(self, kind: type | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        seconds = time.monotonic() - self._begin
        if kind is None and seconds >= PATIENCE:
            print(f'{self.done} {self.what} in {_duration(seconds)}', file=sys.stderr)


def progress(iterable: Iterable[T], total: int | None = None, what: str = 'done') -> Iterator[T]:
    """Iterate over something, and show how far it is.

    Args:
        iterable (Iterable): What to iterate over.
        total (int, optional): How much that is, by default its length where it has one.
        what (str): What is done with each, for instance 'clips encoded'.
    """
    with Progress(length_hint(iterable) if total is None else total, what) as shown:
        for item in iterable:
            yield item
            shown.update()


def _make_bar() -> Any:
    from rich import progress as rich
    from rich.console import Console

    return rich.Progress(
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn('{task.description}'),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes} min {rest} s' if minutes else f'{rest} s'
