"""Clips out of whatever a user has: files, folders, annotation files, arrays."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
from mmengine.logging import print_log

from stars_mm.preparation.annotation_file import SUFFIXES, clip_key, load_annotations, select_split
from stars_mm.preparation.clip_conversion import METRES, ConversionOptions, convert_clip
from stars_mm.preparation.clip_faults import clip_fault
from stars_mm.preparation.inspection.faults import class_list
from stars_mm.preparation.layouts import SkeletonLayout, get_layout, known_layouts, stored_layout
from stars_mm.preparation.readers import folder, tables
from stars_mm.preparation.readers.lookup import call_reader, get_reader
from stars_mm.preparation.readers.mmpose import is_mmpose
from stars_mm.preparation.recording import Recording, RecordingSet
from stars_mm.preparation.source_files import SourceFile, find_files
from stars_mm.utils.input_error import InputError, reading, shown

_GUESSED: set[str] = set()  # layouts of which it was said in this process
FILES = ('.csv', '.tsv', '.npy', '.json', '.bvh')


@dataclass
class InputClip:
    """A clip that is to be encoded.

    Args:
        name (str): What it is called.
        keypoint (np.ndarray): (M, T, V, C = 2 or 3) float32, zero where a person is absent; in
            metres, y upwards, where its layout's unit is 'm'.
        layout (SkeletonLayout, optional): Its joints; ``unit`` is that of ``keypoint``.
        label (str, optional): Its class, where the source says one.
        score (np.ndarray, optional): Confidence of each joint, (M, T, V).
        source_layout (SkeletonLayout, optional): ``layout`` with the unit of what was read.
    """

    name: str
    keypoint: np.ndarray
    layout: SkeletonLayout | None
    label: str | None = None
    score: np.ndarray | None = None
    source_layout: SkeletonLayout | None = None

    def cut(self, start: int, end: int) -> 'InputClip':
        """The frames from ``start`` up to and without ``end``."""
        score = None if self.score is None else self.score[:, start:end]
        return replace(self, keypoint=self.keypoint[:, start:end], score=score)


@dataclass(frozen=True)
class ReadOptions:
    """How inputs are read; what is None they say themselves.

    Args:
        layout (str, dict or SkeletonLayout, optional): Of their joints.
        reader (str, optional): Of ``tools/data/convert.py``, for a data set as it is distributed.
        split (str, optional): Of an annotation file.
        unit (str, optional): Of the coordinates.
        up (str): 'y', or 'z' where z points up.
        channels (str, optional): Numbers of a joint: 'xy', 'xyz', 'xyc' or 'xyzc'.
        usual_layout (str, dict or SkeletonLayout, optional): Of inputs that do not say theirs,
            where ``layout`` is None.
    """

    layout: str | dict | SkeletonLayout | None = None
    reader: str | None = None
    split: str | None = None
    unit: str | None = None
    up: str = 'y'
    channels: str | None = None
    usual_layout: str | dict | SkeletonLayout | None = None


def read_clips(inputs: Any, options: ReadOptions) -> Iterator[InputClip]:
    """Read clips one after another.

    Args:
        inputs: A recording's file (``.csv``, ``.tsv``, ``.npy``, ``.json``, ``.bvh``), a folder or
            zip of such, whose subfolders name the classes, an annotation file (``.pkl``, ``.npz``),
            an array (T, V, C) or (M, T, V, C), an :class:`InputClip`, or an iterable of these.
        options (ReadOptions): What the inputs do not say.

    Raises:
        ValueError, FileNotFoundError: Names the file and says what to do.
    """
    if isinstance(inputs, InputClip):
        yield inputs
    elif isinstance(inputs, np.ndarray):
        yield _convert(Recording('array', label='', keypoints=inputs), options.layout, options)
    elif isinstance(inputs, (str, Path)):
        yield from _read_path(str(inputs), options)
    elif isinstance(inputs, Mapping):
        raise TypeError('inputs is a dict; to learn from give it to FewShotRecognizer.learn.')
    else:
        arrays = 0
        for one in inputs:
            for clip in read_clips(one, options):
                if isinstance(one, np.ndarray):
                    clip.name, arrays = f'array {arrays}', arrays + 1
                yield clip


def _read_path(path: str, options: ReadOptions) -> Iterator[InputClip]:
    if options.reader is not None:
        alone = Path(path).is_file() and not is_zipfile(path)  # readers list folders and zips
        folder_or_zip = str(Path(path).parent) if alone else path
        found: Any = call_reader(get_reader(options.reader), folder_or_zip, {})
        known = found if isinstance(found, RecordingSet) else RecordingSet(found)
        own = replace(options, unit=options.unit or known.unit)
        for recording in known:
            if not alone or Path(recording.source) == Path(path):
                yield _convert(recording, options.layout or known.layout, own)
    elif path.endswith(SUFFIXES):
        yield from _read_annotations(path, options)
    elif not path.lower().endswith(FILES) or Path(path).is_dir():
        for file in find_files(path, FILES):
            yield _read_file(file, options)
    elif Path(path).is_file():
        yield _read_file(SourceFile(Path(path).name, str(Path(path).parent), ''), options)
    else:
        raise FileNotFoundError(f'{path}: there is no such file.')


def _read_annotations(path: str, options: ReadOptions) -> Iterator[InputClip]:
    extra: dict = {}
    annotations, splits = load_annotations(path, extra)
    clips, _ = select_split(annotations, splits, options.split, path)
    stored = None if options.layout else stored_layout(extra, path)
    said = options.layout or stored or options.usual_layout
    layout = None if said is None else get_layout(said)
    names, key = class_list(extra.get('class_names')), clip_key(annotations)
    for number, clip in enumerate(clips):
        label = clip.get('label')
        if isinstance(label, (int, np.integer)) and names and 0 <= label < len(names):
            label = names[label]
        name = str(clip.get(key, number))
        if fault := clip_fault(clip, None if layout is None else layout.unit):
            raise InputError(path, fault, f'Run stars-mm inspect {path}.', f'clip {shown(name)}')
        keypoint = clip['keypoint']
        frames: Any = clip.get('total_frames', keypoint.shape[1])
        score = clip.get('keypoint_score')
        yield InputClip(
            name,
            keypoint[:, : int(frames)].astype(np.float32),
            layout,
            None if label is None else str(label),
            None if score is None else score[:, : int(frames)].astype(np.float32),
        )


def _read_file(file: SourceFile, options: ReadOptions) -> InputClip:
    """A recording's file; the folder that it lies in is its label."""
    suffix = Path(file.path).suffix.lower()
    layout = options.layout
    with reading(file.where):
        if suffix == '.bvh':
            from stars_mm.preparation.readers import bvh

            layout = layout or 'h36m-17'
            options = replace(options, unit=options.unit or 'other')
            keypoints: Any = partial(bvh.load, file, bvh.H36M, 1)
        else:
            layout = get_layout(layout or _layout_of_file(file, options))
            table = tables.TableOptions(layout, options.channels, 1)
            keypoints = partial(folder.load, file, table)
    recording = Recording(file.name, file.parent, keypoints=keypoints, source=file.where)
    return _convert(recording, layout, options)


def _layout_of_file(file: SourceFile, options: ReadOptions) -> SkeletonLayout:
    """The layout that the columns of a CSV name, mmpose's, or the only one that fits."""
    content, suffix = file.read(), Path(file.path).suffix.lower()
    if suffix == '.json' and is_mmpose(tables.load_json(content)):
        return get_layout('coco-17')
    is_table = suffix in ('.csv', '.tsv')
    is_named = is_table and tables.names_joints(content)
    if options.usual_layout is not None and not is_named:
        return get_layout(options.usual_layout)
    if is_table:  # what the columns are shows in a line of names and one of numbers
        content = b'\n'.join([line for line in content.splitlines() if line.strip()][:2])
    fitting = {}
    for layout in map(get_layout, known_layouts()):
        try:
            table = tables.TableOptions(layout, options.channels, 1)
            fitting[layout.name] = folder.parse(file.path, content, table).keypoints.shape[-1]
        except ValueError:
            continue
    return _only_one(fitting, file.where, is_named)


def _only_one(fitting: dict[str, int], where: str, is_named: bool = False) -> SkeletonLayout:
    """The only layout that fits, a guess where nothing names joints. Those in pixels have two
    coordinates, and only they; ``fitting`` says how many each would have."""
    found = [
        name
        for name, C in fitting.items()
        if is_named or (get_layout(name).unit == 'px') == (C == 2)
    ]
    if len(found) != 1:
        known = ', '.join(found or known_layouts())
        raise ValueError(
            f'what are the joints? Give the layout, one of {known} or a .json or .yml file.'
        )
    if not is_named:
        _say_guess(found[0], where)
    return get_layout(found[0])


def _say_guess(layout: str, where: str) -> None:
    if layout not in _GUESSED:
        _GUESSED.add(layout)
        guess = f'{where}: the joints are taken for {layout}, the only known layout that fits'
        print_log(f'{guess}. Say the layout where it is another.', 'current', logging.WARNING)


def _convert(
    recording: Recording, layout: str | dict | SkeletonLayout | None, options: ReadOptions
) -> InputClip:
    """What the converter would store of a recording; missing joints are filled in."""
    layout = layout or options.usual_layout
    if layout is None:
        with reading(recording.place):
            *_, V, C = np.shape(recording.load().keypoints)
            sizes = {name: get_layout(name).num_joints for name in known_layouts()}
            layout = _only_one({name: C for name in sizes if sizes[name] == V}, recording.place)
    layout = get_layout(layout)
    unit = options.unit or layout.unit
    how = ConversionOptions(up=options.up, missing='interpolate')
    made = convert_clip(recording, layout, unit, how, keep_absent=False)
    if 'left_out' in made:
        raise InputError(recording.place, made['left_out'])
    stored = replace(layout, unit='m' if unit in METRES else unit)
    arrays = made['arrays']
    return InputClip(
        name=recording.name,
        keypoint=arrays['keypoint'],
        layout=stored,
        label=None if recording.label in (None, '') else str(recording.label),
        score=arrays.get('keypoint_score'),
        source_layout=replace(layout, unit=unit),
    )


def labeled(examples: Any, options: ReadOptions) -> dict[str, list[InputClip]]:
    """Clips by class: of a dict class → inputs, or of inputs that name the classes themselves.

    Raises:
        ValueError: If a clip has no class, or a class no clip.
    """
    found: dict[str, list[InputClip]] = {}
    if isinstance(examples, Mapping):
        for label, inputs in examples.items():
            found[str(label)] = list(read_clips(inputs, options))
    else:
        for clip in read_clips(examples, options):
            if clip.label is None:
                raise ValueError(
                    f'{clip.name}: nothing says its class. Put the files of each class into a '
                    'folder of its name, or give a dict class → files.'
                )
            found.setdefault(clip.label, []).append(clip)
    empty = [label for label, clips in found.items() if not clips]
    if empty or not found:
        raise ValueError(f'class {empty[0]!r} has no example.' if empty else 'there is no example.')
    return found


def draw_examples(
    found: Mapping[str, Sequence[InputClip]], shots: int, seed: int
) -> dict[str, list[InputClip]]:
    """So many clips of each class, or all where there are fewer, drawn by the seed."""
    if shots < 1:
        raise ValueError(f'shots={shots}: give a number of examples, 1 or more.')
    drawn = {}
    for number, (label, clips) in enumerate(sorted(found.items())):
        order = np.random.default_rng([seed, number]).permutation(len(clips))[:shots]
        drawn[label] = [clips[place] for place in sorted(order)]
    return drawn
