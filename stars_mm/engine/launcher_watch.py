import os
import signal
import threading
import time

_PATIENCE = 60.0  # seconds that a process has to end by itself


def end_with_launcher() -> None:
    """Let this process end when the one that started it ends: a launcher that is killed cannot end
    the ranks that it started.

    It gets a SIGTERM, with which a training saves its state, and is killed a minute later.
    """
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int, interval: float = 1.0) -> None:
    while os.getppid() == parent:
        time.sleep(interval)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE)
    os.kill(os.getpid(), signal.SIGKILL)
