"""The arrays on which the authors of MAMP and STARS train.

Such a file, ``NTU60_XSub.npz`` or of another name, holds ``x_train`` and ``x_test`` (clip, frame,
2·25·3): two persons of 25 joints, xyz, zeros after a clip's end; and ``y_train`` and ``y_test``
(clip, class), one-hot. It knows no names of clips: a clip's name here is its position, such as
``train_000012``. The coordinates stay as they are; those of NTU RGB+D are centred there already.
Arrays are read a clip at a time, because a file of NTU RGB+D has more bytes than many machines have
memory. :mod:`stars_mm.preparation.mamp_export` writes such files.
"""

import functools
import os
import os.path as osp
import re
import zipfile
from functools import partial
from typing import IO, NamedTuple

import numpy as np

from stars_mm.preparation.clip_faults import MOST_CLASSES
from stars_mm.preparation.readers import ntu_names, pku
from stars_mm.preparation.recording import Recording, RecordingSet, leave_out
from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.limits import check_zip
from stars_mm.utils.safe_arrays import check_shape, read_header

NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES = 2, 25, 3
FRAME = NUM_PERSONS * NUM_JOINTS * NUM_COORDINATES
PROTOCOLS = ('xsub', 'xview', 'xset')
#: Part in the authors' file → part of our split's name.
PARTS = dict(train='train', test='val')
#: Protocol in the authors' file names → ours.
_PROTOCOLS = dict(xsub='xsub', xview='xview', xset='xset', cs='xsub', cv='xview')
_CLASSES = dict(ntu60=60, ntu120=120, pkuv1=51, pkuv2=51)


class FileName(NamedTuple):
    """What a file's name says of protocol, number of classes and what stands for an absent second
    person; None where it does not."""

    protocol: str | None
    num_classes: int | None
    pad: str


def parse_file_name(path: str) -> FileName:
    """Reads data set and protocol from a name such as NTU60_XSub.npz."""
    words = re.split(r'[_\-. ]+', osp.basename(path).lower())
    return FileName(
        next((_PROTOCOLS[word] for word in words if word in _PROTOCOLS), None),
        next((_CLASSES[word] for word in words if word in _CLASSES), None),
        'loop' if 'ntu120' in words else 'zero',
    )


def choose_protocol(path: str, protocol: str | None) -> str:
    """The protocol that is given, or else that of the file's name."""
    protocol = protocol or parse_file_name(path).protocol
    if protocol not in PROTOCOLS:
        way = f'Say which protocol of {", ".join(PROTOCOLS)}.'
        raise ValueError(f'{path}: does not say in its name which split it is. {way}')
    return protocol


def read(src: str, protocol: str | None = None, pad: str | None = None) -> RecordingSet:
    """Lists the clips of a file, those that train first.

    Args:
        src (str): The authors' ``.npz``.
        protocol (str, optional): 'xsub', 'xview' or 'xset'; by default as the name says.
        pad (str, optional): What stands for an absent second person, which is taken away: 'zero',
            or 'loop', the first person again; by default 'loop' for NTU-120, else 'zero'.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Names file, key and row.
    """
    if not osp.isfile(src):
        raise FileNotFoundError(f'{src}: there is no such file.')
    if not zipfile.is_zipfile(src):
        raise InputError(src, 'is no readable .npz', 'It may be cut off: get it again.')
    protocol, named = choose_protocol(src, protocol), parse_file_name(src)
    if pad not in (None, 'zero', 'loop'):
        raise ValueError(f"pad={pad!r}: choose 'zero' or 'loop'.")
    stamp = f'{os.stat(src).st_size} {os.stat(src).st_mtime_ns}'
    recordings = []
    for part, ours in PARTS.items():
        labels, num_classes = _read_labels(src, stamp, f'y_{part}')
        shape = _open(src, stamp, f'x_{part}').shape
        where = f"{src}: 'x_{part}'"
        if len(shape) != 3 or shape[2] != FRAME:
            needed = '(clip, frame, 2 persons · 25 joints · xyz) is needed'
            raise InputError(src, f'has shape {shape}; {needed}', clip=f"'x_{part}'")
        if shape[0] != len(labels):
            problem = f'has {shape[0]} clips and y_{part} {len(labels)}'
            raise InputError(src, problem, clip=f"'x_{part}'")
        names = [str(number) for number in range(num_classes)]
        if named.num_classes == num_classes:
            names = pku.CLASS_NAMES if num_classes == 51 else ntu_names.class_names(num_classes)
        for number, label in enumerate(labels):
            splits = [f'{protocol}_{ours}']
            if (named.num_classes, protocol) == (120, 'xsub') and label >= ntu_names.LAST_OF_60:
                splits.append(f'novel_{ours}')
            recordings.append(
                Recording(
                    name=f'{part}_{number:06d}',
                    label=names[label],
                    keypoints=partial(load, src, stamp, part, number, pad or named.pad),
                    split=splits,
                    source=f'{where}: clip {number}',
                )
            )
    return RecordingSet(recordings, layout='ntu-25', class_names=names, keep_absent=True)


def load(path: str, stamp: str, part: str, number: int, pad: str) -> np.ndarray:
    """A clip without its padding, (M, T, 25, 3)."""
    flat = _open(path, stamp, f'x_{part}', os.getpid()).row(number)
    if not np.isfinite(flat).all():
        frame = int((~np.isfinite(flat).all(1)).argmax())
        raise ValueError(f'frame {frame} holds NaN or infinity. Mend the file.')
    present = np.flatnonzero(flat.any(1))
    if not len(present):
        leave_out('zero throughout')
    keypoint = flat[: present[-1] + 1].reshape(-1, NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES)
    first, second = keypoint = keypoint.transpose(1, 0, 2, 3)
    absent = not second.any() if pad == 'zero' else np.array_equal(first, second)
    return keypoint[: 1 if absent else NUM_PERSONS]


class _StoredArray:
    """An array of an ``.npz``, of which rows are read as they are asked for.

    Only the header is parsed, and a dtype of objects refused: nothing in the file is unpickled.
    """

    def __init__(self, path: str, key: str) -> None:
        archive = zipfile.ZipFile(path)
        check_zip(archive, os.stat(path).st_size)
        if f'{key}.npy' not in archive.namelist():
            known = ', '.join(name.removesuffix('.npy') for name in archive.namelist())
            way = 'tools/data/export_mamp_npz.py makes such a file of an annotation file.'
            raise ValueError(f"has no '{key}'; it has {known or 'nothing'}. {way}")
        self.stream: IO[bytes] = archive.open(f'{key}.npy')
        self.shape, fortran, self.dtype = read_header(self.stream)
        self.start = self.stream.tell()
        if self.dtype.kind not in 'fiub':
            raise ValueError(f'is of dtype {self.dtype}, no array of numbers; it is not opened')
        size = archive.getinfo(f'{key}.npy').file_size
        check_shape(self.shape, self.dtype, size - self.start)
        if fortran:
            raise ValueError('is in Fortran order; save it again from np.ascontiguousarray')

    def row(self, number: int) -> np.ndarray:
        """A part of the array along its first axis."""
        size = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        self.stream.seek(self.start + number * size)
        content = self.stream.read(size)
        if len(content) != size:
            raise ValueError(f'is cut off in row {number} of {self.shape[0]}. Get the file again.')
        return np.frombuffer(content, self.dtype).reshape(self.shape[1:])


@functools.lru_cache(maxsize=4)
def _open(path: str, stamp: str, key: str, process: int = 0) -> _StoredArray:
    # Opened once, so that rows in order are read in one go; a forked process must not read through
    # its parent's handle, hence its id.
    with reading(path, clip=f"'{key}'"):
        return _StoredArray(path, key)


def _read_labels(path: str, stamp: str, key: str) -> tuple[list[int], int]:
    """One-hot rows (clip, class) as labels, and the number of classes."""
    array = _open(path, stamp, key)
    with reading(path, clip=f"'{key}'"):
        if len(array.shape) != 2 or 0 in array.shape:
            raise ValueError(f'has shape {array.shape}; (clip, class) is needed')
        if array.shape[1] > MOST_CLASSES:
            raise ValueError(f'has {array.shape[1]} classes, and {MOST_CLASSES} are the most')
        hot = np.stack([array.row(number) for number in range(array.shape[0])])
        wrong = ((hot == 1).sum(1) != 1) | ((hot != 0).sum(1) != 1)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f'row {row} is not one-hot: it needs a single 1 and zeros')
    return hot.argmax(1).tolist(), array.shape[1]
