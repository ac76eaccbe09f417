"""Signals that ask a training to save its state and to end."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

#: SIGTERM is what ``kill``, torchrun and Slurm send; SIGUSR1 what one lets Slurm send before
#: (``--signal=USR1@120``); SIGHUP what a terminal sends that is closed.
SIGNALS = tuple(
    getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1', 'SIGHUP') if hasattr(signal, name)
)

#: Seconds in which a signal that comes again is the same one: Slurm sends it to a launcher and its
#: processes, and the launcher hands it on.
_SAME = 2.0

#: Seconds that a worker goes on after a SIGTERM.
_WORKER_SECONDS = 60


class StopSignal:
    """Notes a signal instead of ending at once; one that comes again ends the process at once.

    Attributes:
        received (int): The number of the signal, 0 while none has come.
    """

    def __init__(self) -> None:
        self.received = 0
        self._time = 0.0
        self._former: dict[int, Any] = {}

    def listen(self) -> None:
        """Note signals from now on; does nothing outside of the main thread."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # nohup lets one be ignored
                if number not in self._former and signal.getsignal(number) is not signal.SIG_IGN:
                    self._former[number] = signal.signal(number, self._note)

    def release(self) -> None:
        """Let signals do again what they did before."""
        while self._former:
            number, handler = self._former.popitem()
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self.received = 0

    def _note(self, number: int, frame: object) -> None:
        if not self.received:
            self.received, self._time = number, time.monotonic()
        elif time.monotonic() - self._time > _SAME:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


#: That of this process: a process has one handler a signal.
STOP_SIGNAL = StopSignal()


def outlive_signals(init: Callable[[int], None] | None, worker: int) -> None:
    """Start a worker of a data loader, which goes on for a minute where a signal for the training
    reaches it, too: the training needs its batches until it has saved its state."""
    if init is not None:
        init(worker)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # what a loader that loses its patience sends; a worker that a signal kills is an error to torch
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_WORKER_SECONDS))
