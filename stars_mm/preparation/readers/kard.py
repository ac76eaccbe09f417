"""KARD (Gaglio et al., IEEE THMS 2015), its skeletons in world coordinates.

One ``aXX_sXX_eXX_realworld.txt`` (action, subject, take) for each clip: a line of xyz in
millimetres for each joint, 15 lines a frame, in the order of layout 'kard-15'. Subjects 1 to 5
train, 6 to 10 test; to choose by, ``xsub_val1_*`` parts the training split, subjects 1 to 3 train
and 4 and 5 test, and ``xsub_val2_*`` the other way round.
"""

from functools import partial

import numpy as np

from stars_mm.preparation.readers.named_files import describe_take, list_named, read_rows
from stars_mm.preparation.recording import RecordingSet
from stars_mm.preparation.source_files import SourceFile

CLASS_NAMES = (
    'horizontal arm wave; high arm wave; two-hand wave; catch cap; high throw; draw X; draw tick; '
    'toss paper; forward kick; side kick; take umbrella; bend; hand clap; walk; phone call; drink; '
    'sit down; stand up'
).split('; ')


def read(src: str, mirror: bool = False) -> RecordingSet:
    """Lists the clips of a folder or zip.

    Args:
        src (str): The folder or zip.
        mirror (bool): Whether to turn the sign of x, which grows to the sensor's right here and to
            its left in Kinect's data: for who brings both together.
    """
    describe = partial(describe_take, CLASS_NAMES, ({1, 2, 3}, {4, 5}))
    example, pattern = 'aXX_sXX_eXX_realworld.txt', r'a(\d+)_s(\d+)_e\d+'
    read_clip = partial(load, mirror=mirror)
    recordings = list_named(src, '_realworld.txt', pattern, example, describe, read_clip)
    return RecordingSet(recordings, title='KARD', layout='kard-15', class_names=CLASS_NAMES)


def load(file: SourceFile, mirror: bool) -> np.ndarray:
    """The coordinates of a clip, (T, 15, 3) in millimetres."""
    return read_rows(file, joints=15, numbers=3) * (-1 if mirror else 1, 1, 1)
