"""Makes an annotation file of what a reader yields."""

import hashlib
import logging
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from operator import length_hint
from typing import Any

import numpy as np
from mmengine.logging import print_log

from stars_mm.preparation import resumable
from stars_mm.preparation.annotation_file import check_suffix, save_annotations
from stars_mm.preparation.clip_conversion import METRES, ConversionOptions, convert_clip
from stars_mm.preparation.conversion_report import ConversionReport
from stars_mm.preparation.inspection.clip_stats import ClipStats, Jump
from stars_mm.preparation.inspection.inspect_file import inspect_measured
from stars_mm.preparation.layouts import SkeletonLayout, get_layout, known_layouts
from stars_mm.preparation.recording import Recording, RecordingSet
from stars_mm.preparation.splits import SplitRule
from stars_mm.utils.input_error import InputError
from stars_mm.version import __version__


def convert(
    recordings: Iterable,
    dst: str,
    layout: str | SkeletonLayout | None = None,
    split: SplitRule | None = None,
    options: ConversionOptions | None = None,
    classes: Sequence[str] | None = None,
    provenance: dict | None = None,
    workers: int = 1,
) -> ConversionReport:
    """Makes an annotation file.

    Beside it lies, until it is complete, the folder ``DST.unfinished``: what is interrupted goes
    on from there when it is started again.

    Args:
        recordings (RecordingSet | iterable[Recording | dict]): What a reader yields. A dict
            has the fields of a :class:`Recording`.
        dst (str): The ``.pkl`` or ``.npz`` to write.
        layout (str or SkeletonLayout, optional): By default the data set's. It is stored in the
            file, its name as ``layout`` and itself as ``skeleton``.
        split (SplitRule, optional): Which clips train and which test.
        options (ConversionOptions, optional): What is done to clips.
        classes (sequence[str], optional): Labels in the order of their numbers; by default the data
            set's, or sorted.
        provenance (dict, optional): Where the clips come from, to be stored.
        workers (int): Processes to work in.

    Raises:
        ValueError: Lists what is wrong, with file and place; no annotation file is written.
        OSError: If the file cannot be written.
    """
    check_suffix(dst)
    split, options = split or SplitRule(), options or ConversionOptions()
    known = recordings if isinstance(recordings, RecordingSet) else RecordingSet(recordings)
    asked = layout or known.layout
    if asked is None:
        way = f'give --layout, one of {known_layouts()} or a .json or .yml file'
        raise ValueError(f'the reader does not say what the joints are: {way}.')
    layout = get_layout(asked)
    unit = options.unit or known.unit or layout.unit
    classes = known.class_names if classes is None else classes
    report = ConversionReport(remarks=list(known.remarks))
    folder = f'{dst}.unfinished'
    listed: dict[str, Recording] = {}
    problems: list[str] = []
    keep_absent = known.keep_absent
    how: dict[str, Any] = dict(layout=layout, unit=unit, options=options, keep_absent=keep_absent)
    with resumable.removed_if_disk_full(folder):
        groups, report.before = resumable.convert_in_groups(
            _list_once(known, listed, problems),
            partial(convert_clip, **how),
            repr((__version__, how)),
            folder,
            workers,
            length_hint(known.recordings),
        )
        digests, stats, shape = _collect(groups, listed, options, report, problems)
        if problems:
            resumable.raise_problems(problems)
        clips = [listed[name] for name in digests]
        report.class_names = _class_names(clips, classes)
        labels = {name: n for n, name in enumerate(report.class_names)}
        report.clips = {
            clip.name: (
                None if clip.label is None else labels[str(clip.label)],
                stats[clip.name].frames,
            )
            for clip in clips
        }
        report.subjects = {
            clip.name: str(clip.subject) for clip in clips if clip.subject is not None
        }
        report.splits = split.apply(clips)
        for name in known.distinct:
            _add_distinct(report, name, digests)
        stored = replace(layout, unit='m' if unit in METRES else unit)
        report.inspection = inspect_measured(
            [_about(listed[name], report.clips[name]) for name in digests],
            report.splits,
            report.class_names or None,
            dst,
            dict(enumerate(stats.values())),
            {shape: len(stats)},
            {'float32': len(stats)},
            stored.unit,
        )
        content = ''.join(f'{clip.name} {clip.label} {digests[clip.name]}\n' for clip in clips)
        save_annotations(
            dst,
            _annotations(groups, listed, report.clips),
            report.splits,
            **({'class_names': report.class_names} if report.class_names else {}),
            layout=layout.name,
            skeleton=stored.to_dict(),
            provenance=dict(
                provenance or {},
                **({'dataset': known.title} if known.title else {}),
                made_by=f'stars_mm {__version__} convert.py',
                options=dict(_plain(vars(options)), split=_plain(vars(split))),
                left_out=dict(Counter(report.dropped.values())),
                counts={what: sum(done.values()) for what, done in report.notes.items()},
                sha256=hashlib.sha256(content.encode()).hexdigest(),
            ),
        )
    shutil.rmtree(folder)
    for line in report.left_out():
        print_log(line, 'current', logging.WARNING)
    return report


def _plain(values: dict) -> dict:
    """What was chosen, sequences as lists, which every file format takes."""
    return {
        key: list(value) if isinstance(value, (list, tuple)) else value
        for key, value in values.items()
        if value is not None
    }


def _list_once(
    known: RecordingSet, listed: dict[str, Recording], problems: list[str]
) -> Iterator[Recording]:
    """Yields recordings, keeps what is to be known of them, and refuses what has a name again."""
    for clip in known:
        if not isinstance(clip, Recording):
            try:
                clip = Recording(**clip)
            except TypeError as error:
                what = f'{type(clip).__name__}, no Recording and no dict of its fields'
                raise ValueError(f'the reader yields {what} ({error}).') from None
        if clip.name in listed:
            other = listed[clip.name].place
            problems.append(f'{clip.place}: {clip.name!r} is the name of {other} too.')
        else:
            listed[clip.name] = replace(clip, keypoints=None, scores=None)
            yield clip


def _collect(
    groups: list[str],
    listed: dict[str, Recording],
    options: ConversionOptions,
    report: ConversionReport,
    problems: list[str],
) -> tuple[dict[str, str], dict[str, ClipStats], tuple[int, int]]:
    """Counts what was made; gives digest and measures of each clip that is to be stored, and the
    joints and coordinates of all."""
    digests: dict[str, str] = {}
    stats: dict[str, ClipStats] = {}
    usual = ''
    V = C = 0
    for clip in resumable.read_groups(groups):
        name = clip['name']
        if 'left_out' in clip:
            report.dropped[name] = clip['left_out']
            continue
        arrays = clip['arrays']
        shape = arrays['keypoint'].shape[2:]
        scores = 'scores' if 'keypoint_score' in arrays else 'no scores'
        form = f'{shape[0]} joints, {shape[1]} coordinates and {scores}'
        if not usual:
            first, usual, (V, C) = listed[name].place, form, shape
        if form != usual:
            problem = f'has {form}; {first} has {usual}. All clips must be alike.'
            if options.invalid == 'drop':
                report.dropped[name] = problem
            else:
                problems.append(f'{listed[name].place}: {problem}')
            continue
        for what, count in clip['notes'].items():
            report.notes[what][name] = count
        measured = ClipStats(*clip['stats'])
        stats[name] = measured._replace(jump=measured.jump and Jump(*measured.jump))
        content = b''.join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
        digests[name] = hashlib.sha256(content).hexdigest()
    if not digests and not problems:
        if not report.dropped:
            raise ValueError('no clip is left: the reader yields none.')
        name, why = next(iter(report.dropped.items()))
        problem = f'no clip is left: {len(report.dropped)} were dropped, such as {name!r}: {why!r}'
        raise InputError(listed[name].place, problem)
    return digests, stats, (V, C)


def _annotations(
    groups: list[str], listed: dict[str, Recording], clips: dict[str, tuple[int | None, int]]
) -> Iterator[dict]:
    for clip in resumable.read_groups(groups):
        name = clip['name']
        if name in clips:
            yield {**_about(listed[name], clips[name]), **clip['arrays']}


def _about(recording: Recording, clip: tuple[int | None, int]) -> dict:
    """An annotation without its arrays."""
    label, frames = clip
    named = dict(frame_dir=recording.name, label=label, total_frames=frames)
    if label is None:
        del named['label']
    who = dict(subject=recording.subject, camera=recording.camera)
    return {**named, **{key: str(value) for key, value in who.items() if value is not None}}


def _add_distinct(report: ConversionReport, split: str, digests: dict[str, str]) -> None:
    """Adds a split without the clips whose coordinates a clip outside of it has."""
    inside = set(report.splits.get(split, ()))
    known = {digest for name, digest in digests.items() if name not in inside}
    kept = [name for name in report.splits.get(split, ()) if digests[name] not in known]
    if not kept:
        return
    report.splits[f'{split}_distinct'] = kept
    if len(kept) < len(inside):
        same = f'{len(inside) - len(kept)} clips of {split} have the very coordinates of a training'
        report.remarks.append(f'{same} clip; {split}_distinct leaves them out')


def _class_names(clips: Sequence[Recording], classes: Sequence[str] | None) -> list[str]:
    found: dict[str, Recording] = {}
    for clip in clips:
        if clip.label is not None:
            found.setdefault(str(clip.label), clip)
    if not found:
        return []
    if classes is None:
        return sorted(found, key=_natural)
    classes = [str(name) for name in classes]
    if len(set(classes)) < len(classes):
        raise ValueError(f'--classes names a class twice: {classes}.')
    for name, clip in found.items():
        if name not in classes:
            what = f'label {name!r} of {clip.name!r} is none of --classes'
            raise ValueError(f'{clip.place}: {what}: {", ".join(classes)}.')
    return classes


def _natural(name: str) -> list:
    """So that 'a10' comes after 'a9'."""
    return [(int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', name)]
