"""How much memory a file may ask for.

A few bytes can ask for gigabytes: a zip of zeros, a header with a huge shape, a table in which
everybody is seen once. There is one rule for all of them: what is asked for has to be of the order
of what the file holds, and has to be there.
"""

import math
import zipfile
from functools import partial
from pathlib import Path

#: A file may ask for so many bytes whatever its size …
FREE = 64 << 20
#: … and for so many times its size. Recordings unpack to 1 to 20 times their zip.
RATIO = 50


def most_bytes(given: int) -> int:
    """What a file of so many bytes, or a part of one, may ask for, in bytes."""
    return max(FREE, RATIO * given)


def check_asked(asked: int, given: int, what: str) -> None:
    """Raise a ValueError where more memory is asked for than a file justifies, or than there is.

    Args:
        asked (int): Bytes that are to be taken up.
        given (int): Bytes of the file, or of the part that asks.
        what (str): What asks, for the message.
    """
    if asked <= FREE:
        return
    if asked > most_bytes(given):
        times = f'more than {RATIO} times the {_size(given)} that are given'
        raise ValueError(f'{what} would take {_size(asked)} of memory, {times}')
    if asked > _available_memory():
        raise ValueError(f'{what} would take {_size(asked)} of memory, more than is free')


def check_zip(archive: zipfile.ZipFile, size: int) -> None:
    """Raise a ValueError where the members of a zip of ``size`` bytes say that they unpack to more
    than it justifies; :func:`read_member` takes them at their word."""
    check_asked(sum(member.file_size for member in archive.infolist()), size, 'its members')


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The content of a member, for which no more memory is taken than it says."""
    with archive.open(name) as stream:
        parts = iter(partial(stream.read, step_of(archive.getinfo(name))), b'')
        return b''.join(parts)


def step_of(member: zipfile.ZipInfo) -> int:
    """How many bytes of a member to read at a time: :mod:`zipfile` unpacks as many packed ones
    without a limit, where they are packed by something else than deflate."""
    is_usual = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return 1 << 20 if is_usual else 1 << 12


def _available_memory() -> float:
    """Bytes that can be taken up, as Linux says; elsewhere infinity."""
    try:
        lines = Path('/proc/meminfo').read_text(encoding='ascii').splitlines()
        (line,) = (line for line in lines if line.startswith('MemAvailable:'))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return math.inf


def _size(count: int) -> str:
    return f'{count} bytes' if count < 1 << 20 else f'{count / 2**20:.0f} MiB'
