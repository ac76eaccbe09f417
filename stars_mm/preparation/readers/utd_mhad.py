"""UTD-MHAD (Chen et al., ICIP 2015), its Kinect v1 skeletons.

It is distributed as ``Skeleton.zip``: one ``aX_sX_tX_skeleton.mat`` (action, subject, take) for
each clip, whose array ``d_skel`` holds 20 joints, xyz in metres, T frames. As published, odd
subjects train and even ones test; to choose by, ``xsub_val1_*`` parts the training split, subjects
1 and 5 train and 3 and 7 test, and ``xsub_val2_*`` the other way round.
"""

import io
from functools import partial

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from stars_mm.preparation.readers.named_files import describe_take, list_named
from stars_mm.preparation.recording import RecordingSet
from stars_mm.preparation.source_files import SourceFile

CLASS_NAMES = (
    'swipe left; swipe right; wave; clap; throw; cross arms; basketball shoot; draw X; '
    'draw circle clockwise; draw circle counter-clockwise; draw triangle; bowling; boxing; '
    'baseball swing; tennis swing; arm curl; tennis serve; push; knock; catch; '
    'pick up and throw; jog; walk; sit to stand; stand to sit; lunge; squat'
).split('; ')
#: Where each joint of 'kinect-20' stands in the files (their ``Skeleton_joint_order.txt``).
ORDER = (3, 2, 1, 0, *range(4, 20))


def read(src: str) -> RecordingSet:
    """Lists the clips of a folder or zip."""
    describe = partial(describe_take, CLASS_NAMES, ({1, 5}, {3, 7}))
    example, pattern = 'aX_sX_tX_skeleton.mat', r'a(\d+)_s(\d+)_t\d+'
    recordings = list_named(src, '_skeleton.mat', pattern, example, describe, load)
    title = 'UTD-MHAD'
    return RecordingSet(recordings, title=title, layout='kinect-20', class_names=CLASS_NAMES)


def load(file: SourceFile) -> np.ndarray:
    """The coordinates of a clip, (T, 20, 3) in metres."""
    try:
        joints = loadmat(io.BytesIO(file.read()))['d_skel']
    except (KeyError, TypeError, ValueError, NotImplementedError, MatReadError) as error:
        raise ValueError(f"is no .mat with an array 'd_skel' ({error}). Get it again.") from error
    if joints.ndim != 3 or joints.shape[:2] != (20, 3):
        raise ValueError(f"'d_skel' has shape {joints.shape}; (20, 3, T) is needed.")
    return joints.transpose(2, 0, 1)[:, ORDER]
