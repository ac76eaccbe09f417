"""UTD-MHAD (Chen et al., ICIP 2015), its Kinect v1 skeletons.

It is distributed as ``Skeleton.zip``: one ``aX_sX_tX_skeleton.mat`` (action, subject, take) for
each clip, whose array ``d_skel`` holds 20 joints, xyz in metres, T frames. As published, odd
subjects train and even ones test; to choose by, ``xsub_val1_*`` parts the training split, subjects
1 and 5 train and 3 and 7 test, and ``xsub_val2_*`` the other way round.
"""

import io
import math
import struct
import zlib
from functools import partial

import numpy as np
from scipy.io import loadmat, whosmat

from stars_mm.preparation.readers.named_files import describe_take, list_named
from stars_mm.preparation.recording import RecordingSet
from stars_mm.preparation.source_files import SourceFile
from stars_mm.utils.limits import check_asked, most_bytes

CLASS_NAMES = (
    'swipe left; swipe right; wave; clap; throw; cross arms; basketball shoot; draw X; '
    'draw circle clockwise; draw circle counter-clockwise; draw triangle; bowling; boxing; '
    'baseball swing; tennis swing; arm curl; tennis serve; push; knock; catch; '
    'pick up and throw; jog; walk; sit to stand; stand to sit; lunge; squat'
).split('; ')
#: Where each joint of 'kinect-20' stands in the files (their ``Skeleton_joint_order.txt``).
_COMPRESSED = 15  # the type of an element
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
    joints = read_mat(file.read(), 'd_skel')
    if joints.ndim != 3 or joints.shape[:2] != (20, 3):
        raise ValueError(f"'d_skel' has shape {joints.shape}; (20, 3, T) is needed.")
    return joints.transpose(2, 0, 1)[:, ORDER]


def read_mat(content: bytes, name: str) -> np.ndarray:
    """An array of numbers of a ``.mat`` of version 5; a ValueError where it has none of the name.

    Variables are unpacked here, no further than a file of this size may ask for, and what they are
    is looked up before they are read: SciPy believes what they say of their sizes.
    """
    plain, at, left = [content[:128]], 128, most_bytes(len(content))
    while at < len(content):
        kind, size = struct.unpack_from('<II', content, at)
        element, at = content[at : at + 8 + size], at + 8 + size
        if kind == _COMPRESSED:
            unpack = zlib.decompressobj()
            element = unpack.decompress(element[8:], left)
            left -= len(element)
            if unpack.unconsumed_tail or left <= 0:
                raise ValueError('unpacks to far more than it has.')
        plain.append(element)
    stream = io.BytesIO(b''.join(plain))
    found = {known: (shape, kind) for known, shape, kind in whosmat(stream)}
    if found.get(name, ((), ''))[1] not in ('double', 'single'):
        raise ValueError(f'has no array {name!r} of numbers. Get it again.')
    check_asked(8 * math.prod(found[name][0]), stream.tell(), f'{name!r}')
    return loadmat(stream, variable_names=[name])[name]
