"""Reads and writes the arrays on which the authors of MAMP and STARS train.

Such a file, ``NTU60_XSub.npz`` or of another name, holds ``x_train`` and ``x_test`` (clip, frame,
2·25·3): two persons of 25 joints, xyz, zeros after a clip's end; and ``y_train`` and ``y_test``
(clip, class), one-hot. It knows no names of clips: a clip's name here is its position, such as
``train_000012``. Arrays are read and written a clip at a time, because a file of NTU RGB+D has more
bytes than many machines have memory.
"""

import os.path as osp
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

import numpy as np

from stars_mm.utils.atomic import written_whole

NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES = 2, 25, 3
_FRAME = NUM_PERSONS * NUM_JOINTS * NUM_COORDINATES
#: Part in the authors' file → part of our split's name.
PARTS = dict(train='train', test='val')
#: Protocol in the authors' file names → ours.
_PROTOCOLS = dict(xsub='xsub', xview='xview', xset='xset', cs='xsub', cv='xview')
_CLASSES = dict(ntu60=60, ntu120=120, pkuv1=51, pkuv2=51)


class FileName(NamedTuple):
    """What a file's name says; None where it does not."""

    protocol: str | None
    num_classes: int | None
    pad: str


def parse_file_name(path: str) -> FileName:
    """Reads data set and protocol from a name such as NTU60_XSub.npz."""
    words = re.split(r'[_\-. ]+', osp.basename(path).lower())
    protocols = [_PROTOCOLS[word] for word in words if word in _PROTOCOLS]
    classes = [_CLASSES[word] for word in words if word in _CLASSES]
    return FileName(
        protocols[0] if protocols else None,
        classes[0] if classes else None,
        'loop' if 'ntu120' in words else 'zero',
    )


class _Array(NamedTuple):
    """An array of a file, and the stream that holds its values in order."""

    shape: tuple[int, ...]
    dtype: np.dtype
    stream: IO[bytes]

    def rows(self) -> Iterator[np.ndarray]:
        """Yields the array's parts along the first axis."""
        size = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        for number in range(self.shape[0]):
            content = self.stream.read(size)
            if len(content) != size:
                raise ValueError(
                    f'is cut off in row {number} of {self.shape[0]}. Get the file again.'
                )
            yield np.frombuffer(content, self.dtype).reshape(self.shape[1:])


@contextmanager
def _open_array(archive: zipfile.ZipFile, key: str) -> Iterator[_Array]:
    """Opens an array of an ``.npz``; errors name its key.

    Only the header is parsed, and a dtype of objects refused: nothing in the
    file is ever unpickled.
    """
    name = f'{key}.npy'
    if name not in archive.namelist():
        known = ', '.join(n.removesuffix('.npy') for n in archive.namelist())
        raise ValueError(
            f"has no '{key}'; it has {known or 'nothing'}. "
            'x_train, y_train, x_test and y_test are needed.'
        )
    try:
        with archive.open(name) as stream:
            version = np.lib.format.read_magic(stream)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(stream)
            if dtype.kind not in 'fiub':
                raise ValueError(f'is of dtype {dtype}, no array of numbers; it is not opened')
            if fortran:
                raise ValueError('is in Fortran order; save it again from np.ascontiguousarray')
            yield _Array(shape, dtype, stream)
    except (
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise ValueError(f"'{key}': {error}") from error


def _read_labels(archive: zipfile.ZipFile, key: str) -> np.ndarray:
    """Reads one-hot rows (clip, class) as labels (clip,)."""
    with _open_array(archive, key) as array:
        if len(array.shape) != 2 or 0 in array.shape:
            raise ValueError(f'has shape {array.shape}; (clip, class) is needed')
        hot = np.stack(list(array.rows()))
        wrong = ((hot == 1).sum(1) != 1) | ((hot != 0).sum(1) != 1)
        if wrong.any():
            raise ValueError(
                f'row {int(wrong.argmax())} is not one-hot: it needs a single 1 and zeros'
            )
    return hot.argmax(1)


def _to_keypoint(flat: np.ndarray, pad: str) -> np.ndarray:
    """Takes a clip's padding away.

    Args:
        flat (np.ndarray): (T, 150), zeros after the clip's end.
        pad (str): What stands for an absent second person: 'zero' or 'loop', the first one again.

    Returns:
        np.ndarray: (M, T', 25, 3) float32; T' is 0 where all is zero.
    """
    with np.errstate(over='ignore'):
        flat = flat.astype(np.float32)
    if not np.isfinite(flat).all():
        frame = int((~np.isfinite(flat).all(1)).argmax())
        raise ValueError(
            f'frame {frame} holds NaN or what is too large for float32. Mend the file.'
        )
    present = np.flatnonzero(flat.any(1))
    length = present[-1] + 1 if len(present) else 0
    keypoint = (
        flat[:length].reshape(-1, NUM_PERSONS, NUM_JOINTS, NUM_COORDINATES).transpose(1, 0, 2, 3)
    )
    first, second = keypoint
    absent = not second.any() if pad == 'zero' else np.array_equal(first, second)
    return keypoint[: 1 if absent else NUM_PERSONS].copy()


def read_labels(path: str) -> dict[str, np.ndarray]:
    """Reads the labels (clip,) of both parts, 'train' and 'test'.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: Names file, key and row.
    """
    if not osp.exists(path):
        raise FileNotFoundError(f'{path}: there is no such file.')
    try:
        with zipfile.ZipFile(path) as archive:
            return {part: _read_labels(archive, f'y_{part}') for part in PARTS}
    except zipfile.BadZipFile as error:
        raise ValueError(
            f'{path}: is no readable .npz ({error}). It may be cut off: get it again.'
        ) from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def read_clips(path: str, labels: dict[str, np.ndarray], pad: str = 'zero') -> Iterator[dict]:
    """Yields the clips, those that train first.

    Args:
        path (str): The ``.npz``.
        labels (dict): As ``read_labels`` gives them.
        pad (str): What stands for an absent second person, which is taken
            away: 'zero' or 'loop', the first person again.

    Yields:
        dict: An annotation. A clip that is zero throughout has no frames: its
        ``total_frames`` is 0.

    Raises:
        ValueError: Names file, key and clip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for part in PARTS:
                yield from _read_part(archive, part, labels[part], pad)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _read_part(archive: zipfile.ZipFile, part: str, labels: np.ndarray, pad: str) -> Iterator[dict]:
    with _open_array(archive, f'x_{part}') as array:
        if len(array.shape) != 3 or array.shape[2] != _FRAME:
            raise ValueError(
                f'has shape {array.shape}; (clip, frame, 150) is '
                'needed, 150 for 2 persons of 25 joints, xyz'
            )
        if array.shape[0] != len(labels):
            raise ValueError(f'has {array.shape[0]} clips and y_{part} {len(labels)}')
        for number, flat in enumerate(array.rows()):
            try:
                keypoint = _to_keypoint(flat, pad)
            except ValueError as error:
                raise ValueError(f'clip {number}: {error}') from error
            yield dict(
                frame_dir=f'{part}_{number:06d}',
                label=int(labels[number]),
                keypoint=keypoint,
                total_frames=keypoint.shape[1],
            )


def _to_flat(clip: dict, num_frames: int, pad: str) -> np.ndarray:
    """A clip as the authors' arrays have it: (num_frames, 150) float32."""
    name, keypoint = clip.get('frame_dir'), clip['keypoint']
    keypoint = keypoint[:, : clip['total_frames']]
    M, T, V, C = keypoint.shape
    if (V, C) != (NUM_JOINTS, NUM_COORDINATES) or M > NUM_PERSONS:
        raise ValueError(
            f'clip {name!r}: keypoint has shape {clip["keypoint"].shape} (M, '
            "T, V, C); the authors' arrays hold 25 joints, 3 coordinates and "
            'at most 2 persons.'
        )
    if T > num_frames:
        raise ValueError(
            f'clip {name!r}: has {T} frames, and {num_frames} '
            f'were to be written. Give --frames {T} or more.'
        )
    flat = np.zeros((num_frames, NUM_PERSONS, V, C), np.float32)
    flat[:T, :M] = keypoint.transpose(1, 0, 2, 3)
    if M == 1 and pad == 'loop':
        flat[:T, 1] = keypoint[0]
    return flat.reshape(num_frames, _FRAME)


def _write_array(
    archive: zipfile.ZipFile, key: str, shape: Sequence[int], dtype: str, rows: Iterable[np.ndarray]
) -> None:
    header = dict(descr=np.dtype(dtype).str, fortran_order=False, shape=tuple(shape))
    with archive.open(f'{key}.npy', 'w', force_zip64=True) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for row in rows:
            stream.write(np.ascontiguousarray(row, dtype).tobytes())


def write_npz(
    path: str,
    parts: dict[str, list[dict]],
    num_classes: int,
    num_frames: int = 300,
    pad: str = 'zero',
) -> None:
    """Writes the authors' arrays whole or not at all.

    Args:
        path (str): The ``.npz`` to write.
        parts (dict): Annotations of 'train' and 'test', sound ones.
        num_classes (int): Columns of the one-hot rows.
        num_frames (int): Frames a clip, the authors' 300; a shorter clip is filled with zeros.
        pad (str): What stands for an absent second person: 'zero', or 'loop'
            as in the files of NTU-120, the first person again.

    Raises:
        ValueError: Names the clip that does not fit.
    """
    one_hot = np.eye(num_classes)
    with written_whole(path) as partial, zipfile.ZipFile(partial, 'w') as archive:
        for part, clips in parts.items():
            _write_array(
                archive,
                f'x_{part}',
                (len(clips), num_frames, _FRAME),
                '<f4',
                (_to_flat(clip, num_frames, pad) for clip in clips),
            )
            _write_array(
                archive,
                f'y_{part}',
                (len(clips), num_classes),
                '<f8',
                (one_hot[clip['label']] for clip in clips),
            )
