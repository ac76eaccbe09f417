"""PKU-MMD I and II (Liu et al., 2017).

They are distributed as one ``skeleton/NAME.txt`` a recording, of some minutes: a row of 150 numbers
a frame, two bodies of 25 joints, xyz in metres, zeros for an absent second body. ``label/NAME.txt``
has a row for each action in it: class (1 to 51), first frame, the frame after the last, confidence.
Two files say which recordings train. The clips are those of the published preparation: coordinates
as recorded, the first 300 frames, and what is zero throughout left out.
"""

import functools
from collections.abc import Callable, Set
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from stars_mm.preparation.readers import pku_parse
from stars_mm.preparation.recording import Clip, Recording, RecordingSet, leave_out
from stars_mm.preparation.source_files import SourceFile, by_stem, find_files
from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.limits import RATIO

#: The frames of a clip in the preparation that published results share. What
#: is longer loses its end.
MAX_FRAMES = 300
#: The names of the split files, by phase and protocol. Copies with '-' for
#: '_' and the other way round go about.
_SPLIT_FILES = {
    1: dict(xsub='cross-subject.txt', xview='cross-view.txt'),
    2: dict(xsub='cross_subject_v2.txt', xview='cross_view_v2.txt'),
}
#: The actions, in the order of their labels 0 to 50 (the data set's ``Actions.xlsx``).
CLASS_NAMES = (
    'bow; brushing hair; brushing teeth; check time (from watch); cheer up; clapping; cross hands '
    'in front (say stop); drink water; drop; eat meal/snack; falling; giving something to other '
    'person; hand waving; handshaking; hopping (one foot jumping); hugging other person; jump up; '
    'kicking other person; kicking something; make a phone call/answer phone; pat on back of other '
    'person; pickup; playing with phone/tablet; point finger at the other person; pointing to '
    'something with finger; punching/slapping other person; pushing other person; put on a '
    'hat/cap; put something inside pocket; reading; rub two hands together; salute; sitting down; '
    'standing up; take off a hat/cap; take off glasses; take off jacket; take out something from '
    'pocket; taking a selfie; tear up paper; throw; touch back (backache); touch chest '
    '(stomachache/heart pain); touch head (headache); touch neck (neckache); typing on a keyboard; '
    'use a fan (with hand or paper)/feeling warm; wear jacket; wear on glasses; wipe face; writing'
).split('; ')


def read(
    src: str, phase: int, max_frames: int = MAX_FRAMES, outside: str = 'error'
) -> RecordingSet:
    """Lists the clips of a phase, by recording and label row.

    Args:
        src (str): The folder or zip with ``skeleton``, ``label`` and the split files, at any depth.
        phase (int): 1 or 2.
        max_frames (int): What is longer loses its end; 0 keeps all.
        outside (str): What to do about a label row that goes past the end of its recording:
            'error', or 'cut' to end the clip there, as the published arrays do.

    Raises:
        FileNotFoundError, ValueError: If a file is missing, there twice or at fault.
    """
    if not isinstance(max_frames, int) or max_frames < 0:
        raise ValueError(f'max_frames={max_frames}: give a number of frames, or 0 to keep all.')
    if outside not in ('error', 'cut'):
        raise ValueError(f"outside={outside!r}: choose 'error' or 'cut'.")
    files = find_files(src, '.txt', "'skeleton', 'label' and the split files")
    skeletons, labels = (_in_folder(src, files, kind) for kind in ('skeleton', 'label'))
    if alone := skeletons.keys() - labels.keys():
        name = min(alone)
        why = f"'{skeletons[name].path}' has no label file {name}.txt"
        raise ValueError(f'{src}: {why}. Get it, or remove the skeletons.')
    remarks = []
    if unused := sorted(labels.keys() - skeletons.keys()):
        such = labels[unused[0]].path
        remarks.append(f'{len(unused)} label files have no skeletons, such as {such}')
    train_names = {
        protocol: _train_names(file, protocol, skeletons.keys(), remarks)
        for protocol, file in _find_splits(src, files, phase).items()
    }
    recordings = []
    for name in sorted(skeletons, key=lambda name: f'{name}.txt'):
        splits = [
            f'{protocol}_{"train" if name in train else "val"}'
            for protocol, train in train_names.items()
        ]
        rows = _parse(labels[name], pku_parse.parse_labels, len(CLASS_NAMES))
        _check_rows(rows, labels[name], skeletons[name].size, max_frames)
        read_row = partial(load, skeletons[name], labels[name], max_frames, outside)
        recordings += [
            Recording(
                name=f'{name}_{number:03d}',
                label=CLASS_NAMES[row.label],
                keypoints=partial(read_row, row),
                split=splits,
                source=skeletons[name].where,
            )
            for number, row in enumerate(rows)
        ]
    return RecordingSet(
        recordings,
        title=f'PKU-MMD {"I" * phase}',
        layout='ntu-25',
        class_names=CLASS_NAMES,
        keep_absent=True,
        remarks=remarks,
    )


def load(
    file: SourceFile, labels: SourceFile, max_frames: int, outside: str, row: pku_parse.LabelRow
) -> Clip:
    """A clip of a recording, (M, T, 25, 3) in metres."""
    frames = _frames(file)
    if outside == 'error' and row.end > len(frames):
        way = 'Mend it, or cut it as the published arrays do: --reader-options outside=cut.'
        where = f"beside '{labels.path}': line {row.line}: frames {row.start} to {row.end}"
        raise ValueError(f'{where} go past the end of the recording, {len(frames)}. {way}')
    keypoint = pku_parse.cut(frames, row, max_frames)
    if keypoint.shape[1] == 0:
        leave_out('the label names frames past the end')
    if not keypoint.any():
        leave_out('zero throughout')
    too_long = 0 < max_frames < min(row.end, len(frames)) - row.start
    notes: dict[str, int] = {
        f'cut to {max_frames} frames': too_long,
        'ends with its recording': row.end > len(frames),
    }
    return Clip(keypoint, None, notes)


@functools.lru_cache(maxsize=1)  # its clips come one after another
def _frames(file: SourceFile) -> np.ndarray:
    return pku_parse.parse_skeleton(file.read())


def _parse(file: SourceFile, parse: Callable, *options: Any) -> Any:
    """The content of a small file; errors name it."""
    with reading(file.where, 'Mend it, or get it again.'):
        return parse(file.read(), *options)


def _check_rows(
    rows: list[pku_parse.LabelRow], labels: SourceFile, size: int, max_frames: int
) -> None:
    """Raises an InputError where the clips are far larger than their recording, of so many bytes:
    each row takes a part of it anew."""
    most = min(max_frames or size, size // (2 * pku_parse.ROW))  # a number has 2 bytes at least
    frames = sum(min(row.end - row.start, most) for row in rows)
    if 4 * pku_parse.ROW * frames > RATIO * size:
        problem = f'its {len(rows)} rows are {frames} frames, far more than the recording has'
        raise InputError(labels.where, problem, 'Mend it, or get it again.')


def _in_folder(src: str, files: list[SourceFile], kind: str) -> dict[str, SourceFile]:
    """Files whose folder's name has ``kind`` in it."""
    found = [file for file in files if kind in file.parent.lower()]
    if not found:
        raise ValueError(f"{src}: holds no .txt in a folder '{kind}'. Give the one around it.")
    return by_stem(found)


def _find_splits(src: str, files: list[SourceFile], phase: int) -> dict[str, SourceFile]:
    """The split file of each protocol."""

    def plain(name: str) -> str:
        return PurePosixPath(name).name.lower().replace('_', '-')

    splits = {}
    for protocol, name in _SPLIT_FILES[phase].items():
        found = [file for file in files if plain(file.path) == plain(name)]
        if not found:
            others = [file.path for file in files if plain(file.path).startswith('cross-')]
            there = f' It has {", ".join(others)}.' if others else ''
            way = 'Put it beside the skeletons, or give the reader of the other phase.'
            what = f"'{name}' (phase {phase}, {protocol})"
            raise ValueError(f'{src}: has no split file {what}.{there} {way}')
        if len(found) > 1:
            both = f"'{found[0].path}' and '{found[1].path}'"
            raise ValueError(f'{src}: {both} are the same split file. Remove one of them.')
        (splits[protocol],) = found
    return splits


def _train_names(
    file: SourceFile, protocol: str, recorded: Set[str], remarks: list[str]
) -> frozenset[str]:
    """Reads which recordings train."""
    train, val = _parse(file, pku_parse.parse_split)
    if not train & recorded or not recorded - train:
        part = 'validation' if train & recorded else 'training'
        way = 'Give split file and skeletons of this phase.'
        raise ValueError(f'{file.where}: leaves no recording for {part}. {way}')
    if absent := (train | val) - recorded:
        such = f'recordings that are not here, such as {min(absent)}'
        remarks.append(f'{file.path} names {len(absent)} {such}')
    if unnamed := recorded - train - val:
        # The published arrays test on all that does not train.
        such = f'recordings, such as {min(unnamed)}: taken into {protocol}_val'
        remarks.append(f'{file.path} does not name {len(unnamed)} {such}')
    return train
