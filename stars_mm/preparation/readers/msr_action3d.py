"""MSR-Action3D (Li et al., CVPRW 2010).

``a01_s01_e01_skeleton3D.txt`` (action, subject, take; the distribution in real world coordinates)
has 20 rows a frame: xyz of a joint in metres and its confidence. The joints are not in Kinect's
order and are put into it here. As usual, odd subjects train and even ones test. Some clips are
broken: say ``--invalid drop``.
"""

import io
import re
from functools import partial

import numpy as np

from stars_mm.preparation.recording import Clip, Recording, RecordingSet
from stars_mm.preparation.source_files import SourceFile, by_stem, find_files

CLASS_NAMES = (
    'high arm wave; horizontal arm wave; hammer; hand catch; forward punch; high throw; draw X; '
    'draw tick; draw circle; hand clap; two-hand wave; side boxing; bend; forward kick; side kick; '
    'jogging; tennis swing; tennis serve; golf swing; pick up and throw'
).split('; ')
#: Where each joint of 'kinect-20' stands in a frame of the files. Lists of these joints that go
#: about begin with the right shoulder; the one-sided actions say that it is the left one.
ORDER = (6, 3, 2, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18)


def read(src: str) -> RecordingSet:
    """Lists the clips of a folder or zip with ``aXX_sXX_eXX_skeleton3D.txt`` in it."""
    recordings = []
    for file in by_stem(find_files(src, '_skeleton3d.txt', 'aXX_sXX_eXX_skeleton3D.txt')).values():
        match = re.fullmatch(r'a(\d+)_s(\d+)_e\d+_skeleton3D', file.stem)
        if match is None or not 1 <= int(match[1]) <= len(CLASS_NAMES):
            raise ValueError(f'{file.where}: is not named aXX_sXX_eXX_skeleton3D.txt, up to a20.')
        recordings.append(
            Recording(
                name=file.stem.removesuffix('_skeleton3D'),
                label=CLASS_NAMES[int(match[1]) - 1],
                subject=f's{match[2]}',
                keypoints=partial(load, file),
                split='xsub_train' if int(match[2]) % 2 else 'xsub_val',
                source=file.where,
            )
        )
    return RecordingSet(
        recordings, title='MSR-Action3D', layout='kinect-20', class_names=CLASS_NAMES
    )


def load(file: SourceFile) -> Clip:
    """Coordinates (1, T, 20, 3) in metres and confidences (1, T, 20) of a clip."""
    rows = np.loadtxt(io.BytesIO(file.read()), ndmin=2)
    if rows.shape[1:] != (4,) or len(rows) % 20:
        raise ValueError(
            f'has {rows.shape[0]} rows of {rows.shape[1]} numbers; 20 rows of 4 numbers a '
            'frame are needed.'
        )
    joints = rows.reshape(1, -1, 20, 4)[:, :, ORDER]
    return Clip(joints[..., :3], joints[..., 3])
