"""Reads the recordings of PKU-MMD, cuts them into clips and splits these.

PKU-MMD (Liu et al., 2017) is distributed as one ``skeleton/NAME.txt`` a recording, of some minutes:
a row of 150 numbers a frame, two bodies of 25 joints, xyz in metres, zeros for an absent second
body. ``label/NAME.txt`` has a row for each action in it: class (1 to 51), first frame, the frame
after the last, confidence. Two files say which recordings train.
"""

import hashlib
import os.path as osp
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from stars_mm.preparation.annotation_file import check_suffix, save_annotations
from stars_mm.preparation.parts import convert_parts, plan, read_parts, removed_if_disk_full
from stars_mm.preparation.readers.pku_parse import cut, parse_labels, parse_skeleton, parse_split
from stars_mm.preparation.readers.pku_source import Recording, Source, find_source, read_file
from stars_mm.version import __version__

#: The frames of a clip in the preparation that published results share. What
#: is longer loses its end.
MAX_FRAMES = 300
SPLITS = ('xsub_train', 'xsub_val', 'xview_train', 'xview_val')
#: The actions, in the order of their labels 0 to 50 (the data set's ``Actions.xlsx``).
CLASS_NAMES = (
    'bow',
    'brushing hair',
    'brushing teeth',
    'check time (from watch)',
    'cheer up',
    'clapping',
    'cross hands in front (say stop)',
    'drink water',
    'drop',
    'eat meal/snack',
    'falling',
    'giving something to other person',
    'hand waving',
    'handshaking',
    'hopping (one foot jumping)',
    'hugging other person',
    'jump up',
    'kicking other person',
    'kicking something',
    'make a phone call/answer phone',
    'pat on back of other person',
    'pickup',
    'playing with phone/tablet',
    'point finger at the other person',
    'pointing to something with finger',
    'punching/slapping other person',
    'pushing other person',
    'put on a hat/cap',
    'put something inside pocket',
    'reading',
    'rub two hands together',
    'salute',
    'sitting down',
    'standing up',
    'take off a hat/cap',
    'take off glasses',
    'take off jacket',
    'take out something from pocket',
    'taking a selfie',
    'tear up paper',
    'throw',
    'touch back (backache)',
    'touch chest (stomachache/heart pain)',
    'touch head (headache)',
    'touch neck (neckache)',
    'typing on a keyboard',
    'use a fan (with hand or paper)/feeling warm',
    'wear jacket',
    'wear on glasses',
    'wipe face',
    'writing',
)


#: Part of a file's name between runs: a change of what is done to a recording must change it.
_RULES = 'pku 1'


@dataclass
class Result:
    """What was made of a source.

    Args:
        splits (dict): The names of each split's clips.
        clips (dict): Name of a clip → its label and frames, by recording and label row.
        dropped (dict): Name of a clip left out → why.
        counts (Counter): What was done → to how many clips.
        notes (list[str]): What of the source has no counterpart.
        sha256 (str): Of the files read, by name and content.
        before (int): Recordings that an interrupted run had converted.
    """

    splits: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in SPLITS})
    clips: dict[str, tuple[int, int]] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    sha256: str = ''
    before: int = 0


def _convert_recording(recording: Recording, src: str, max_frames: int, outside: str) -> dict:
    """Reads a recording and cuts its clips; runs in a worker process."""
    path = recording.skeleton
    try:
        skeleton = read_file(src, path)
        frames = parse_skeleton(skeleton)  # (T, 150)
        path = recording.label
        label = read_file(src, path)
        rows = parse_labels(label, len(frames), len(CLASS_NAMES), outside)
    except (ValueError, OSError) as error:
        raise ValueError(f"{src}: '{path}': {error}") from error
    clips, dropped, counts = [], {}, {}
    for number, row in enumerate(rows):
        name = f'{recording.name}_{number:03d}'
        keypoint = cut(frames, row, max_frames)
        if keypoint.shape[1] == 0:
            dropped[name] = 'the label names frames past the end'
            continue
        if not keypoint.any():
            dropped[name] = 'zero throughout'
            continue
        for what, done in (
            ('ends with its recording', row.end > len(frames)),
            (f'cut to {max_frames} frames', 0 < max_frames < min(row.end, len(frames)) - row.start),
        ):
            counts[what] = counts.get(what, 0) + done
        clips.append(
            dict(frame_dir=name, label=row.label, keypoint=keypoint, total_frames=keypoint.shape[1])
        )
    digest = hashlib.sha256(skeleton + label).hexdigest()
    return dict(clips=clips, dropped=dropped, counts=counts, sha256=digest)


def _train_names(src: str, source: Source, result: Result) -> dict[str, frozenset]:
    """Reads which recordings train, by protocol."""
    recorded = {recording.name for recording in source.recordings}
    train_names = {}
    for protocol, path in source.splits.items():
        try:
            train, val = parse_split(read_file(src, path))
            if not train & recorded or not recorded - train:
                part = 'validation' if train & recorded else 'training'
                raise ValueError(
                    f'leaves no recording for {part}. Give the '
                    "split file of this phase, and the phase's "
                    'skeletons.'
                )
        except (ValueError, OSError) as error:
            raise ValueError(f"{src}: '{path}': {error}") from error
        train_names[protocol] = train
        if absent := (train | val) - recorded:
            result.notes.append(
                f'{path} names {len(absent)} recordings that are not here, such as {min(absent)}'
            )
        if unnamed := recorded - train - val:
            # The published arrays test on all that does not train.
            result.notes.append(
                f'{path} does not name {len(unnamed)} '
                f'recordings, such as {min(unnamed)}: taken '
                f'into {protocol}_val'
            )
    return train_names


def _check_options(max_frames: int, outside: str, workers: int) -> None:
    if max_frames < 0:
        raise ValueError(f'max_frames={max_frames}: give a number of frames, or 0 to keep all.')
    if outside not in ('error', 'cut'):
        raise ValueError(f"outside={outside!r}: choose 'error' or 'cut'.")
    if workers < 1:
        raise ValueError(f'workers={workers}: at least one is needed.')


def convert(
    src: str,
    dst: str,
    phase: int,
    max_frames: int = MAX_FRAMES,
    outside: str = 'error',
    workers: int = 1,
) -> Result:
    """Makes the annotation file of a phase.

    Args:
        src (str): The folder or zip with ``skeleton``, ``label`` and the split files, at any depth.
        dst (str): The ``.pkl`` or ``.npz`` to write. Beside it lies, until it is complete, the
            folder ``DST.parts``: what is interrupted goes on from there. Clips are in the order of
            the sorted file names and the label rows.
        phase (int): 1 or 2.
        max_frames (int): What is longer loses its end; 0 keeps all.
        outside (str): What to do about a label row that goes past the end of its recording:
            'error', or 'cut' to end the clip there, as the published arrays do.
        workers (int): Processes to work in.

    Returns:
        Result: What was done.

    Raises:
        OSError, ValueError: If something is wrong with ``src``, named with
            file and line, or ``dst`` cannot be written.
    """
    _check_options(max_frames, outside, workers)
    check_suffix(dst)
    result = Result()
    source = find_source(src, phase)
    result.notes += source.notes
    train_names = _train_names(src, source, result)
    options = dict(max_frames=max_frames, outside=outside)
    folder = f'{dst}.parts'
    parts = plan(
        [[recording] for recording in source.recordings],
        partial(_convert_recording, src=src, **options),
        f'{_RULES} {options}',
        folder,
    )
    with removed_if_disk_full(folder):
        result.before = convert_parts(parts, workers)
        _collect(read_parts(parts), source.recordings, train_names, result)
        if not result.clips:
            raise ValueError(
                f'{src}: no clip is left: all '
                f'{len(result.dropped)} were dropped, such as '
                f'{next(iter(result.dropped.items()))}.'
            )
        save_annotations(
            dst,
            (clip for done in read_parts(parts) for clip in done['clips']),
            result.splits,
            class_names=list(CLASS_NAMES),
            provenance=dict(
                source=osp.basename(osp.abspath(src)),
                dataset=f'PKU-MMD {"I" * phase}',
                made_by=f'stars_mm {__version__} convert_pku.py',
                options=options,
                left_out=dict(Counter(result.dropped.values())),
                sha256=result.sha256,
            ),
        )
    shutil.rmtree(folder)
    return result


def _collect(
    converted: Iterable[dict],
    recordings: list[Recording],
    train_names: dict[str, frozenset],
    result: Result,
) -> None:
    """Counts what was made of all recordings, and splits it."""
    digest = hashlib.sha256()
    for recording, done in zip(recordings, converted):
        names = [clip['frame_dir'] for clip in done['clips']]
        for clip in done['clips']:
            result.clips[clip['frame_dir']] = (clip['label'], clip['total_frames'])
        result.dropped.update(done['dropped'])
        result.counts.update(done['counts'])
        digest.update(f'{recording.name} {done["sha256"]}\n'.encode())
        for protocol, train in train_names.items():
            part = 'train' if recording.name in train else 'val'
            result.splits[f'{protocol}_{part}'] += names
    result.sha256 = digest.hexdigest()
