"""How much memory a file may ask for.

A few bytes can ask for gigabytes: a zip of zeros, a header with a huge shape, a table in which
everybody is seen once. There is one rule for all of them: what is asked for has to be of the order
of what the file holds, and has to be there.
"""

import math
import zipfile
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
    """Raise a ValueError where the members of a zip of ``size`` bytes unpack to more than it
    justifies, or are packed otherwise than by deflate.

    :mod:`zipfile` unpacks no more of such a member than the bytes that it is said to have.
    """
    members = archive.infolist()
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f'{member.filename!r} is not packed by deflate: pack it anew')
    check_asked(sum(member.file_size for member in members), size, 'its members')


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
