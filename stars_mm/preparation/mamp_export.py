"""Writes annotations as the arrays on which the authors of MAMP and STARS train.

What they are is told in :mod:`stars_mm.preparation.readers.mamp_npz`, which reads them.
"""

import zipfile
from collections.abc import Iterable, Sequence

import numpy as np

from stars_mm.preparation.readers.mamp_npz import FRAME, NUM_COORDINATES, NUM_JOINTS, NUM_PERSONS
from stars_mm.utils.atomic import written_whole


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
    for clip in (clip for clips in parts.values() for clip in clips):
        if clip.get('label') is None:
            wanted = "and the authors' arrays need one of every clip"
            raise ValueError(f'clip {clip.get("frame_dir")!r}: has no label, {wanted}.')
    one_hot = np.eye(num_classes)
    with written_whole(path) as partial, zipfile.ZipFile(partial, 'w') as archive:
        for part, clips in parts.items():
            x = (_to_flat(clip, num_frames, pad) for clip in clips)
            y = (one_hot[clip['label']] for clip in clips)
            _write_array(archive, f'x_{part}', (len(clips), num_frames, FRAME), '<f4', x)
            _write_array(archive, f'y_{part}', (len(clips), num_classes), '<f8', y)


def _to_flat(clip: dict, num_frames: int, pad: str) -> np.ndarray:
    """A clip as the authors' arrays have it: (num_frames, 150) float32."""
    name, keypoint = clip.get('frame_dir'), clip['keypoint'][:, : clip['total_frames']]
    M, T, V, C = keypoint.shape
    if (V, C) != (NUM_JOINTS, NUM_COORDINATES) or M > NUM_PERSONS:
        wanted = "the authors' arrays hold 25 joints, 3 coordinates and at most 2 persons"
        raise ValueError(f'clip {name!r}: keypoint has shape {clip["keypoint"].shape}; {wanted}.')
    if T > num_frames:
        wanted = f'{num_frames} were to be written. Give --frames {T} or more.'
        raise ValueError(f'clip {name!r}: has {T} frames, and {wanted}')
    flat = np.zeros((num_frames, NUM_PERSONS, V, C), np.float32)
    flat[:T, :M] = keypoint.transpose(1, 0, 2, 3)
    if M == 1 and pad == 'loop':
        flat[:T, 1] = keypoint[0]
    return flat.reshape(num_frames, FRAME)


def _write_array(
    archive: zipfile.ZipFile, key: str, shape: Sequence[int], dtype: str, rows: Iterable[np.ndarray]
) -> None:
    header = dict(descr=np.dtype(dtype).str, fortran_order=False, shape=tuple(shape))
    with archive.open(f'{key}.npy', 'w', force_zip64=True) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for row in rows:
            stream.write(np.ascontiguousarray(row, dtype).tobytes())
