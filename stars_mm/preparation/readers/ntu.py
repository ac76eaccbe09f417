"""Makes the annotation file of NTU RGB+D 60 or 120 of its recordings."""

import hashlib
import os.path as osp
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from stars_mm.preparation.annotation_file import check_suffix, save_annotations
from stars_mm.preparation.parts import convert_parts, plan, read_parts, removed_if_disk_full
from stars_mm.preparation.readers.ntu_denoise import (
    MAX_GHOST_FRAMES,
    MAX_IMPLAUSIBLE,
    MAX_WIDTH,
    choose_actors,
)
from stars_mm.preparation.readers.ntu_names import (
    DATASETS,
    NTU,
    check_name,
    missing_skeletons,
    parse_name,
    splits_of,
)
from stars_mm.preparation.readers.ntu_parse import parse_recording
from stars_mm.preparation.readers.ntu_source import Entry, find_recordings, read_recording
from stars_mm.version import __version__

#: Changes when the same recording would give another clip.
_RULES = 'ntu 1'
#: A part holds the recordings of one set-up, camera and performer.
_PART_OF_NAME = len('S001C001P001')


class Result(NamedTuple):
    """What a conversion did.

    Args:
        splits (dict): The names of each split's clips.
        clips (dict): Label and number of frames of each clip.
        done (Counter): What denoising did, as ``choose_actors`` counts it;
            ``clips with …`` counts the clips concerned.
        rescued (list[str]): Clips of which only a short body was left.
        left_out (dict): Recordings that are not in the file, and why.
        before (int): Recordings taken from an interrupted conversion.
    """

    splits: dict[str, list[str]]
    clips: dict[str, tuple[int, int]]
    done: Counter
    rescued: list[str]
    left_out: dict[str, int]
    before: int


def _convert_one(entry: Entry) -> dict:
    try:
        content = read_recording(entry)
        keypoint, done = choose_actors(parse_recording(content))
    except ValueError as error:
        raise ValueError(f'{entry.where}: {error}') from error
    except OSError as error:
        raise ValueError(f'{entry.where}: cannot be read ({error.strerror}).') from error
    return dict(
        frame_dir=entry.name,
        label=parse_name(entry.name).label,
        keypoint=keypoint,
        total_frames=keypoint.shape[1],
        done=dict(done),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def select(entries: list[Entry], dataset: NTU) -> tuple[list[Entry], dict[str, int]]:
    """Leaves out what has no skeleton, and of NTU-120 what NTU-60 has not.

    Args:
        entries (list[Entry]): All recordings found.
        dataset (NTU): The data set to make.

    Returns:
        tuple: The recordings to convert, and how many are left out and why.

    Raises:
        ValueError: If a name is not one of the data set, or none is left.
    """
    missing = missing_skeletons()
    usable, left_out = [], Counter()
    for entry in entries:
        try:
            name = parse_name(entry.name)
            if dataset.setups < name.setup <= DATASETS[120].setups:
                left_out[f'of NTU-120 alone (set-up S{dataset.setups + 1:03} and later)'] += 1
                continue
            check_name(name, dataset)
        except ValueError as error:
            raise ValueError(f'{entry.where}: {error}') from error
        if entry.name in missing:
            left_out['on the list of missing skeletons'] += 1
        else:
            usable.append(entry)
    if not usable:
        reasons = ', '.join(f'{n} {why}' for why, n in left_out.items())
        raise ValueError(f'no recording of NTU-{dataset.classes} is left: {reasons}.')
    return usable, dict(left_out)


def make_splits(entries: list[Entry], dataset: NTU) -> dict[str, list[str]]:
    """Names the clips of every split, in the order of the entries."""
    splits: dict[str, list[str]] = {name: [] for name in dataset.split_names}
    for entry in entries:
        for split in splits_of(parse_name(entry.name), dataset):
            splits[split].append(entry.name)
    return splits


class _Clips:
    """The clips for the file, counted while they are written."""

    def __init__(self, parts: list) -> None:
        self.parts = parts
        self.clips: dict[str, tuple[int, int]] = {}
        self.done: Counter = Counter()
        self.rescued: list[str] = []
        self.provenance: dict = {}

    def __iter__(self) -> Iterator[dict]:
        digest = hashlib.sha256()
        for clip in read_parts(self.parts):
            name, done = clip['frame_dir'], clip.pop('done')
            digest.update(f'{name} {clip.pop("sha256")}\n'.encode())
            self.clips[name] = (clip['label'], clip['total_frames'])
            self.done.update(done)
            self.done.update(f'clips with {key}' for key in done if done[key])
            if done.get('rescued'):
                self.rescued.append(name)
            yield clip
        # The file has this after the clips.
        self.provenance.update(
            recordings=len(self.clips), sha256=digest.hexdigest(), kept_longest_body=self.rescued
        )


def convert(src: str, dst: str, dataset: int, workers: int = 1) -> Result:
    """Makes the annotation file.

    Args:
        src (str): A folder or zip of ``.skeleton`` files.
        dst (str): The ``.pkl`` or ``.npz`` to write.
        dataset (int): 60 or 120.
        workers (int): Processes to work in.

    Returns:
        Result: What was done.

    Raises:
        OSError, ValueError: If ``src`` has something wrong, named with file
            and line, or ``dst`` cannot be written.
    """
    if dataset not in DATASETS:
        raise ValueError(f'dataset={dataset!r}: choose 60 or 120.')
    if workers < 1:
        raise ValueError(f'workers={workers}: at least one is needed.')
    check_suffix(dst)
    ntu = DATASETS[dataset]
    entries, left_out = select(find_recordings(src), ntu)
    groups = [list(group) for _, group in groupby(entries, lambda e: e.name[:_PART_OF_NAME])]
    folder = f'{dst}.parts'
    parts = plan(groups, _convert_one, _RULES, folder)
    clips = _Clips(parts)
    clips.provenance.update(
        source=osp.basename(osp.abspath(src)),
        dataset=f'NTU RGB+D {dataset}',
        made_by=f'stars_mm {__version__} convert_ntu.py',
        options=dict(
            max_ghost_frames=MAX_GHOST_FRAMES, max_width=MAX_WIDTH, max_implausible=MAX_IMPLAUSIBLE
        ),
        left_out=left_out,
    )
    splits = make_splits(entries, ntu)
    with removed_if_disk_full(folder):
        before = convert_parts(parts, workers)
        save_annotations(dst, clips, splits, provenance=clips.provenance)
    shutil.rmtree(folder)
    return Result(splits, clips.clips, clips.done, clips.rescued, left_out, before)
