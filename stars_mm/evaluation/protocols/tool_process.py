"""Runs the project's command-line tools in processes of their own."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stars_mm.utils.package_files import package_path

_PACKAGE = Path(__file__).resolve().parents[2]
_SHOWN = 15  # lines of a failed tool's output that the error repeats
_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None
_PR_SET_PDEATHSIG = 1


def tool_command(
    name: str, arguments: Sequence[object], num_processes: int = 1
) -> tuple[list[str], dict[str, str]]:
    """The command that runs a tool with this Python and this stars_mm, and its environment;
    several processes are started by torchrun, on a free port."""
    command = [sys.executable]
    if num_processes > 1:
        launcher = ['torch.distributed.run', '--standalone', f'--nproc_per_node={num_processes}']
        command += ['-m', *launcher]
        arguments = [*arguments, '--launcher', 'pytorch']
    command += [str(package_path(f'tools/{name}')), *map(str, arguments)]
    paths = [str(_PACKAGE.parent), os.environ.get('PYTHONPATH')]
    return command, dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))


def run_tool(name: str, arguments: Sequence[object], log: Path, num_processes: int = 1) -> None:
    """Run a tool, named by its path in ``tools/``, to its end in some processes on this machine;
    its output goes to the end of the log. A RuntimeError with the end of it if the tool fails.

    Where this process is ended, the tool gets a SIGTERM, at which a training saves its state."""
    command, env = tool_command(name, arguments, num_processes)
    with open(log, 'ab') as file:
        begin = file.tell()
        done = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=None if _LIBC is None else _end_with_parent,
        )
    if done.returncode:
        lines = log.read_bytes()[begin:].decode(errors='replace').splitlines()
        raise RuntimeError(
            f'{" ".join(command)} ended with {done.returncode}. The end of {log}:\n'
            + '\n'.join(lines[-_SHOWN:])
        )


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
