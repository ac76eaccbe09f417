"""UTKinect-Action3D (Xia et al., CVPRW 2012), as an example of a reader.

``joints/joints_s01_e01.txt`` has a row a frame: the frame's number and the xyz of 20 Kinect v1
joints in metres. A recording shows ten actions; ``actionLabel.txt`` says where: a line ``s01_e01``,
then ten such as ``walk: 252 390``, first and last frame. Convert with ``--layout kinect-20``.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stars_mm.preparation.recording import Recording


def read(src: str) -> Iterator[Recording]:
    """Yields a clip for each action; those without frames (NaN) are left out.

    Args:
        src (str): The folder with ``joints`` and ``actionLabel.txt``.
    """
    frames, take = None, ''
    labels = Path(src, 'actionLabel.txt')
    for number, line in enumerate(labels.read_text().splitlines(), 1):
        where = f'{labels}: line {number}'
        if re.fullmatch(r's\d+_e\d+', line.strip()):
            take = line.strip()
            frames = _rows(Path(src, 'joints', f'joints_{take}.txt'))
            continue
        match = re.fullmatch(r'(\w+): *(\S+) +(\S+)', line.strip())
        if not line.strip() or (match and 'NaN' in match.groups()):
            continue
        if match is None or not (match[2] + match[3]).isdigit() or not take:
            raise ValueError(f"{where}: {line!r} is no 'action: first last'.")
        first, last = int(match[2]), int(match[3])
        inside = (frames[:, 0] >= first) & (frames[:, 0] <= last)
        if not inside.any():
            raise ValueError(f'{where}: {take} has no frame from {first} to {last}.')
        yield Recording(
            name=f'{take}_{match[1]}',
            label=match[1],
            subject=take.split('_')[0],
            source=where,
            keypoints=frames[inside, 1:].reshape(1, -1, 20, 3),
        )


def _rows(path: Path) -> np.ndarray:
    """The rows of a recording, (T, 1 + 60), each frame once."""
    try:
        rows = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if rows.shape[1] != 61:
        raise ValueError(
            f'{path}: has {rows.shape[1]} numbers a row; a frame '
            'number and 20 joints of xyz are 61.'
        )
    return rows[np.unique(rows[:, 0], return_index=True)[1]]
