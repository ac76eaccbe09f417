"""UTKinect-Action3D (Xia et al., CVPRW 2012).

``joints.zip`` unpacks to ``joints_s01_e01.txt``, … with a row a frame: the frame's number and the
xyz of 20 Kinect v1 joints in metres. A recording shows ten actions; ``actionLabel.txt`` says where:
a line ``s01_e01``, then ten such as ``walk: 252 390``, first and last frame. Put both files'
content into one folder, at any depth. Odd subjects train, even ones test; to choose by,
``xsub_val1_*`` parts the training split, subjects 1, 5, 9 train and 3, 7 test, and ``xsub_val2_*``
the other way round.
"""

import functools
import io
import re
from functools import partial

import numpy as np

from stars_mm.preparation.readers.named_files import subject_splits
from stars_mm.preparation.recording import Clip, Recording, RecordingSet, leave_out
from stars_mm.preparation.source_files import SourceFile, by_stem, find_files
from stars_mm.utils.input_error import InputError, reading

CLASS_NAMES = 'walk sitDown standUp pickUp carry throw push pull waveHands clapHands'.split()


def read(src: str) -> RecordingSet:
    """Lists a clip for each line of ``actionLabel.txt``; those without frames (NaN) are left out.

    Args:
        src (str): The folder or zip with ``actionLabel.txt`` and ``joints_sXX_eXX.txt`` in it.
    """
    example = 'actionLabel.txt and joints_s01_e01.txt'
    found = find_files(src, '.txt', example)
    files = by_stem(f for f in found if re.fullmatch(r'actionLabel|joints_s\d+_e\d+', f.stem))
    if 'actionLabel' not in files:
        raise ValueError(f'{src}: has no actionLabel.txt. Put it beside the folder joints.')
    labels = files['actionLabel']
    recordings, take = [], ''
    with reading(labels.where):
        lines = labels.read().decode().splitlines()
    for number, line in enumerate(lines, 1):
        where, line = f'{labels.where}: line {number}', line.strip()
        if re.fullmatch(r's\d+_e\d+', line):
            take = line
            if f'joints_{take}' not in files:
                raise ValueError(f'{where}: there is no joints_{take}.txt in {src}.')
            continue
        if not line:
            continue
        match = re.fullmatch(r'(\w+): *(\d{1,9}|NaN) +(\d{1,9}|NaN)', line)
        if match is None or match[1] not in CLASS_NAMES or not take:
            known = ', '.join(CLASS_NAMES)
            raise ValueError(f"{where}: {line!r} is no 'action: first last' of {known}.")
        action, file = match[1], files[f'joints_{take}']
        read_clip = partial(leave_out, 'its label names no frames (NaN)')
        if 'NaN' not in match.groups():
            read_clip = partial(load, file, int(match[2]), int(match[3]))
        subject = take.split('_')[0]
        split = subject_splits(({1, 5, 9}, {3, 7}), int(subject[1:]))
        name = f'{take}_{action}'
        recordings.append(
            Recording(name, action, subject, read_clip, split=split, source=file.where)
        )
    if not recordings:
        raise InputError(labels.where, 'names no action', 'Get it again.')
    return RecordingSet(
        recordings, title='UTKinect-Action3D', layout='kinect-20', class_names=CLASS_NAMES
    )


@functools.lru_cache(maxsize=1)  # its clips come one after another
def _rows(file: SourceFile) -> np.ndarray:
    """The rows of a recording, (T, 1 + 60)."""
    rows = np.loadtxt(io.BytesIO(file.read()), ndmin=2)
    if rows.shape[1] != 61:
        needed = 'a frame number and 20 joints of xyz are 61'
        raise ValueError(f'has {rows.shape[1]} numbers a row; {needed}.')
    return rows


def load(file: SourceFile, first: int, last: int) -> Clip:
    """Some frames of a recording, (T, 20, 3) in metres, each once."""
    rows = _rows(file)
    rows = rows[(rows[:, 0] >= first) & (rows[:, 0] <= last)]
    if not len(rows):
        raise ValueError(f'has no frame from {first} to {last}, of which actionLabel.txt speaks.')
    once = rows[np.unique(rows[:, 0], return_index=True)[1]]
    notes = {'repeated frames removed': len(rows) - len(once)}
    return Clip(once[:, 1:].reshape(-1, 20, 3), None, notes)
