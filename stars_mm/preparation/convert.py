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

import numpy as np
from mmengine.logging import print_log

from stars_mm.preparation.annotation_file import check_suffix, save_annotations
from stars_mm.preparation.clip_conversion import METRES, ConversionOptions, convert_clip
from stars_mm.preparation.conversion_report import ConversionReport
from stars_mm.preparation.layouts import SkeletonLayout, get_layout, known_layouts
from stars_mm.preparation.recording import Recording, RecordingSet
from stars_mm.preparation.resumable import (
    convert_in_groups,
    raise_problems,
    read_groups,
    removed_if_disk_full,
)
from stars_mm.preparation.splits import SplitRule
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
        layout (str or SkeletonLayout, optional): Of all clips, by default the data set's. It is
            stored in the file, its name as ``layout`` and itself as ``skeleton``.
        split (SplitRule, optional): Which clips train and which test.
        options (ConversionOptions, optional): What is done to clips.
        classes (sequence[str], optional): Labels in the order of their
            numbers; by default the data set's, or sorted.
        provenance (dict, optional): Where the clips come from, to be stored.
        workers (int): Processes to work in.

    Returns:
        ConversionReport: What was made.

    Raises:
        ValueError: Lists what is wrong, with file and place; no annotation file is written.
        OSError: If the file cannot be written.
    """
    check_suffix(dst)
    split, options = split or SplitRule(), options or ConversionOptions()
    known = recordings if isinstance(recordings, RecordingSet) else RecordingSet(recordings)
    if layout is None and known.layout is None:
        raise ValueError(
            'the reader does not say what the joints are: give --layout, one of '
            f'{known_layouts()} or a .json or .yml file.'
        )
    layout = get_layout(layout or known.layout)
    unit = options.unit or known.unit or layout.unit
    classes = known.class_names if classes is None else classes
    report = ConversionReport(remarks=list(known.remarks))
    folder = f'{dst}.unfinished'
    with removed_if_disk_full(folder):
        listed, problems = {}, []
        convert_one = partial(
            convert_clip, layout=layout, unit=unit, options=options, keep_absent=known.keep_absent
        )
        groups, report.before = convert_in_groups(
            _Listing(known, listed, problems),
            convert_one,
            repr((__version__, convert_one.keywords)),
            folder,
            workers,
        )
        digests, frames = _collect(groups, listed, options, report, problems)
        if problems:
            raise_problems(problems)
        clips = [listed[name] for name in digests]
        report.class_names = _class_names(clips, classes)
        labels = {name: n for n, name in enumerate(report.class_names)}
        report.clips = {clip.name: (labels[str(clip.label)], frames[clip.name]) for clip in clips}
        report.splits = split.apply(clips)
        for name in known.distinct:
            _add_distinct(report, name, digests)
        stored = replace(layout, unit='m' if unit in METRES else unit)
        content = ''.join(f'{clip.name} {clip.label} {digests[clip.name]}\n' for clip in clips)
        save_annotations(
            dst,
            _annotations(groups, listed, report.clips),
            report.splits,
            class_names=report.class_names,
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


class _Listing:
    """Yields recordings, keeps what is to be known of them, and refuses what has a name again."""

    def __init__(self, known: RecordingSet, listed: dict, problems: list[str]) -> None:
        self.known, self.listed, self.problems = known, listed, problems

    def __iter__(self) -> Iterator[Recording]:
        for clip in self.known:
            if not isinstance(clip, Recording):
                try:
                    clip = Recording(**clip)
                except TypeError as error:
                    raise ValueError(
                        f'the reader yields {type(clip).__name__}, no Recording and no dict of '
                        f'its fields ({error}).'
                    ) from None
            if clip.name in self.listed:
                other = self.listed[clip.name].place
                self.problems.append(f'{clip.place}: {clip.name!r} is the name of {other} too.')
                continue
            self.listed[clip.name] = replace(clip, keypoints=None, scores=None)
            yield clip

    def __length_hint__(self) -> int:
        return length_hint(self.known.recordings)


def _collect(
    groups: list[str],
    listed: dict[str, Recording],
    options: ConversionOptions,
    report: ConversionReport,
    problems: list[str],
) -> tuple[dict[str, str], dict[str, int]]:
    """Counts what was made; gives digest and frames of each clip that is to be stored."""
    digests: dict[str, str] = {}
    frames: dict[str, int] = {}
    first, usual = None, None
    for clip in read_groups(groups):
        name = clip['name']
        if 'left_out' in clip:
            report.dropped[name] = clip['left_out']
            continue
        arrays = clip['arrays']
        form = (*arrays['keypoint'].shape[2:], 'keypoint_score' in arrays)
        if usual is None:
            first, usual = listed[name], form
        if form != usual:
            problem = (
                f'has {_describe(form)}; {first.place} has {_describe(usual)}. All clips must be '
                'alike.'
            )
            if options.invalid == 'drop':
                report.dropped[name] = problem
            else:
                problems.append(f'{listed[name].place}: {problem}')
            continue
        for what, count in clip['notes'].items():
            report.notes[what][name] = count
        frames[name] = arrays['keypoint'].shape[1]
        content = b''.join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
        digests[name] = hashlib.sha256(content).hexdigest()
    if not digests and not problems:
        why = next(iter(report.dropped.items()), 'the reader yields none')
        raise ValueError(f'no clip is left: {len(report.dropped)} were dropped, such as {why}.')
    return digests, frames


def _describe(form: tuple) -> str:
    return f'{form[0]} joints, {form[1]} coordinates and {"scores" if form[2] else "no scores"}'


def _annotations(
    groups: list[str], listed: dict[str, Recording], clips: dict[str, tuple[int, int]]
) -> Iterator[dict]:
    for clip in read_groups(groups):
        if clip['name'] not in clips:
            continue
        label, frames = clips[clip['name']]
        recording = listed[clip['name']]
        annotation = dict(frame_dir=recording.name, label=label, total_frames=frames)
        for key in ('subject', 'camera'):
            if getattr(recording, key) is not None:
                annotation[key] = str(getattr(recording, key))
        yield {**annotation, **clip['arrays']}


def _add_distinct(report: ConversionReport, split: str, digests: dict[str, str]) -> None:
    """Adds a split without the clips whose coordinates a clip outside of it has."""
    inside = set(report.splits.get(split, ()))
    known = {digest for name, digest in digests.items() if name not in inside}
    kept = [name for name in report.splits.get(split, ()) if digests[name] not in known]
    if not kept:
        return
    report.splits[f'{split}_distinct'] = kept
    if len(kept) < len(inside):
        report.remarks.append(
            f'{len(inside) - len(kept)} clips of {split} have the very coordinates of a training '
            f'clip; {split}_distinct leaves them out'
        )


def _class_names(clips: Sequence[Recording], classes: Sequence[str] | None) -> list[str]:
    found: dict[str, Recording] = {}
    for clip in clips:
        found.setdefault(str(clip.label), clip)
    if classes is None:
        return sorted(found, key=_natural)
    classes = [str(name) for name in classes]
    if len(set(classes)) < len(classes):
        raise ValueError(f'--classes names a class twice: {classes}.')
    for name, clip in found.items():
        if name not in classes:
            raise ValueError(
                f'{clip.place}: label {name!r} of {clip.name!r} is none of --classes: '
                f'{", ".join(classes)}.'
            )
    return classes


def _natural(name: str) -> list:
    """So that 'a10' comes after 'a9'."""
    return [(int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', name)]
