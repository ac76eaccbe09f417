import logging
import os
import socket
from typing import IO, Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

fcntl: Any = None  # Windows has none
try:
    import fcntl
except ImportError:
    pass


class WorkDirLock:
    """Only one training works in a folder: ``with WorkDirLock(work_dir): …`` on all ranks.

    The first rank locks the file ``.training`` in it. The system releases it when the process ends,
    however it ends; forked workers do not hold it. Where the file system has no locks, nothing is
    refused, with a warning.

    Raises:
        RuntimeError: If another training holds it; names its process and machine.
    """

    def __init__(self, work_dir: str) -> None:
        self.path = os.path.join(work_dir, '.training')
        self._file: IO[str] | None = None

    def __enter__(self) -> None:
        holder: list[str | None] = [self._acquire() if is_main_process() else None]
        broadcast_object_list(holder)
        if holder[0] is not None:
            raise RuntimeError(
                f'{os.path.dirname(self.path)}: another training works here, {holder[0]}. Wait for '
                'its end, or give another --work-dir.'
            )

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def _acquire(self) -> str | None:
        """Lock the file; gives who holds it already."""
        if fcntl is None:
            return None
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._file = open(self.path, 'a+', encoding='utf-8')
        try:
            # not flock: it would be held by forked workers that outlive this process
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            self._file.seek(0)
            return self._file.read().strip() or 'which does not say its process'
        except OSError as error:
            print_log(
                f'{self.path}: cannot be locked ({error}), so a second training in this folder '
                'would not be noticed.',
                'current',
                logging.WARNING,
            )
            return None
        try:
            self._file.truncate(0)
            self._file.write(f'process {os.getpid()} on {socket.gethostname()}')
            self._file.flush()
        except OSError:  # a full disk: locked all the same
            pass
        return None
