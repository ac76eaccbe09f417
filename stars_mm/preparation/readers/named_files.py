"""What readers of data sets share that have a file a clip, described by its name."""

import io
import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from stars_mm.preparation.recording import Recording
from stars_mm.preparation.source_files import SourceFile, by_stem, find_files
from stars_mm.utils.input_error import reading


def list_named(
    src: str, suffix: str, pattern: str, example: str, describe: Callable[..., dict], load: Callable
) -> list[Recording]:
    """Lists a recording for each file.

    Args:
        src (str): The folder or zip.
        suffix (str): How the files end; what comes before is the clip's name.
        pattern (str): Regular expression of the clips' names.
        example (str): What the files are called, for messages.
        describe (callable): Makes of the pattern's groups the fields of a :class:`Recording`, such
            as label and split; a ValueError says that there is no such clip.
        load (callable): Makes of a :class:`SourceFile` the keypoints or a :class:`Clip`.
    """
    recordings = []
    for file in by_stem(find_files(src, suffix.lower(), example)).values():
        name = file.path.rsplit('/', 1)[-1][: -len(suffix)]
        match = re.fullmatch(pattern, name)
        with reading(file.where):
            if match is None:
                raise ValueError(f'is not named {example}. Rename or remove it.')
            fields = describe(*match.groups())
        fields = {'keypoints': partial(load, file), **fields}
        recordings.append(Recording(name=name, source=file.where, **fields))
    return recordings


def subject_splits(halves: tuple[set[int], set[int]], subject: int) -> tuple[str, ...]:
    """The splits of a clip: the subjects of both ``halves`` train, the others test; inside the
    training split, ``xsub_val1_*`` trains on the first half and tests on the second,
    ``xsub_val2_*`` the other way round.
    """
    first, second = halves
    if subject in first:
        return ('xsub_train', 'xsub_val1_train', 'xsub_val2_val')
    if subject in second:
        return ('xsub_train', 'xsub_val1_val', 'xsub_val2_train')
    return ('xsub_val',)


def describe_take(
    names: Sequence[str], halves: tuple[set[int], set[int]], action: str, subject: str
) -> dict:
    """Label, subject and splits of a clip by the numbers, from 1, of action and subject; see
    :func:`subject_splits`."""
    if not 1 <= int(action) <= len(names):
        raise ValueError(f'action {action} is none of 1 to {len(names)}. Rename or remove it.')
    split = subject_splits(halves, int(subject))
    return dict(label=names[int(action) - 1], subject=f's{subject}', split=split)


def read_rows(file: SourceFile, joints: int, numbers: int) -> np.ndarray:
    """A text with a row for each joint of each frame, (T, joints, numbers)."""
    rows = np.loadtxt(io.BytesIO(file.read()), ndmin=2)
    if rows.shape[1:] != (numbers,) or len(rows) % joints:
        needed = f'{joints} rows of {numbers} numbers a frame are needed'
        raise ValueError(f'has {rows.shape[0]} rows of {rows.shape[1]} numbers; {needed}.')
    return rows.reshape(-1, joints, numbers)
