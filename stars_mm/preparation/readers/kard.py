"""KARD (Gaglio et al., IEEE THMS 2015), its skeletons in world coordinates.

One ``aXX_sXX_eXX_realworld.txt`` (action, subject, take) for each clip: a line of xyz in
millimetres for each joint, 15 lines a frame, in the order of layout 'kard-15'. Subjects 1 to 5
train, 6 to 10 test.
"""

import io
import re
from functools import partial

import numpy as np

from stars_mm.preparation.recording import Recording, RecordingSet
from stars_mm.preparation.source_files import SourceFile, by_stem, find_files

CLASS_NAMES = (
    'horizontal arm wave; high arm wave; two-hand wave; catch cap; high throw; draw X; draw tick; '
    'toss paper; forward kick; side kick; take umbrella; bend; hand clap; walk; phone call; drink; '
    'sit down; stand up'
).split('; ')


def read(src: str, mirror: bool = False) -> RecordingSet:
    """Lists the clips of a folder or zip with ``aXX_sXX_eXX_realworld.txt`` in it.

    Args:
        src (str): The folder or zip.
        mirror (bool): Whether to turn the sign of x, which grows to the sensor's right here and to
            its left in Kinect's data: for who brings both together.
    """
    recordings = []
    for file in by_stem(find_files(src, '_realworld.txt', 'aXX_sXX_eXX_realworld.txt')).values():
        match = re.fullmatch(r'a(\d+)_s(\d+)_e\d+_realworld', file.stem)
        if match is None or not 1 <= int(match[1]) <= len(CLASS_NAMES):
            raise ValueError(f'{file.where}: is not named aXX_sXX_eXX_realworld.txt, up to a18.')
        recordings.append(
            Recording(
                name=file.stem.removesuffix('_realworld'),
                label=CLASS_NAMES[int(match[1]) - 1],
                subject=f's{match[2]}',
                keypoints=partial(load, file, mirror),
                split='xsub_train' if int(match[2]) <= 5 else 'xsub_val',
                source=file.where,
            )
        )
    return RecordingSet(recordings, title='KARD', layout='kard-15', class_names=CLASS_NAMES)


def load(file: SourceFile, mirror: bool = False) -> np.ndarray:
    """The coordinates of a clip, (T, 15, 3) in millimetres."""
    rows = np.loadtxt(io.BytesIO(file.read()), ndmin=2)
    if rows.shape[1:] != (3,) or len(rows) % 15:
        raise ValueError(
            f'has {rows.shape[0]} rows of {rows.shape[1]} numbers; 15 rows of 3 numbers a '
            'frame are needed.'
        )
    return rows.reshape(-1, 15, 3) * (-1 if mirror else 1, 1, 1)
