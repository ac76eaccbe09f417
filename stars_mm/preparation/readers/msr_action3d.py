"""MSR-Action3D (Li et al., CVPRW 2010).

``a01_s01_e01_skeleton3D.txt`` (action, subject, take; the distribution in real world coordinates)
has 20 rows a frame: xyz of a joint in metres and its confidence. The joints are not in Kinect's
order and are put into it here. As usual, odd subjects train and even ones test; to choose
by, ``xsub_val1_*`` parts the training split, subjects 1, 5, 9 train and 3, 7 test, and
``xsub_val2_*`` the other way round. Some clips are broken: say ``--invalid drop``.
"""

from functools import partial

from stars_mm.preparation.readers.named_files import describe_take, list_named, read_rows
from stars_mm.preparation.recording import Clip, RecordingSet
from stars_mm.preparation.source_files import SourceFile

CLASS_NAMES = (
    'high arm wave; horizontal arm wave; hammer; hand catch; forward punch; high throw; draw X; '
    'draw tick; draw circle; hand clap; two-hand wave; side boxing; bend; forward kick; side kick; '
    'jogging; tennis swing; tennis serve; golf swing; pick up and throw'
).split('; ')
#: Where each joint of 'kinect-20' stands in a frame of the files. Lists of these joints that go
#: about begin with the right shoulder; the one-sided actions say that it is the left one.
ORDER = (6, 3, 2, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18)


def read(src: str) -> RecordingSet:
    """Lists the clips of a folder or zip."""
    describe = partial(describe_take, CLASS_NAMES, ({1, 5, 9}, {3, 7}))
    example, pattern = 'aXX_sXX_eXX_skeleton3D.txt', r'a(\d+)_s(\d+)_e\d+'
    recordings = list_named(src, '_skeleton3D.txt', pattern, example, describe, load)
    title = 'MSR-Action3D'
    return RecordingSet(recordings, title=title, layout='kinect-20', class_names=CLASS_NAMES)


def load(file: SourceFile) -> Clip:
    """Coordinates (T, 20, 3) in metres and confidences (T, 20) of a clip."""
    joints = read_rows(file, joints=20, numbers=4)[:, ORDER]
    return Clip(joints[..., :3], joints[..., 3])
