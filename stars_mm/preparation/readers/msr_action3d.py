"""MSR-Action3D (Li et al., CVPRW 2010), as an example of a reader.

``a01_s01_e01_skeleton3D.txt`` (action, subject, take; the distribution in real
world coordinates) has 20 rows a frame: xyz of a joint in metres and its
confidence. The joints are not in Kinect's order and are put into it here.
Convert with ``--layout kinect-20``; of subjects, the odd ones usually train.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from stars_mm.preparation.recording import Clip, Recording

#: Where each joint of 'kinect-20' stands in a frame of the files.
ORDER = (6, 3, 2, 19, 1, 8, 10, 12, 0, 7, 9, 11, 5, 14, 16, 18, 4, 13, 15, 17)


def read(src: str) -> Iterator[Recording]:
    """Yields the clips of a folder.

    Args:
        src (str): The folder with ``aXX_sXX_eXX_skeleton3D.txt``, at any depth.
    """
    for path in sorted(Path(src).rglob('*_skeleton3D.txt')):
        match = re.fullmatch(r'(a\d+)_(s\d+)_e\d+_skeleton3D', path.stem)
        if match is None:
            raise ValueError(f'{path}: is not named aXX_sXX_eXX_skeleton3D.txt.')
        yield Recording(
            name=path.stem.removesuffix('_skeleton3D'),
            label=match[1],
            subject=match[2],
            keypoints=partial(load, path),
            source=str(path),
        )


def load(path: Path) -> Clip:
    """The keypoints (1, T, 20, 3) and scores (1, T, 20) of a file."""
    rows = np.loadtxt(path, ndmin=2)
    if rows.shape[1:] != (4,) or len(rows) % 20:
        raise ValueError(
            f'has {rows.shape[0]} rows of {rows.shape[1]} '
            'numbers; 20 rows of 4 numbers a frame are needed.'
        )
    joints = rows.reshape(1, -1, 20, 4)[:, :, ORDER]
    return joints[..., :3], joints[..., 3]
