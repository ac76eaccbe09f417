"""Warnings: what trains, and may not mean what it seems to."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations, islice
from typing import Any

import numpy as np

from stars_mm.preparation.inspection.clip_stats import JUMP_OF_MEDIAN, JUMP_OF_SIZE
from stars_mm.preparation.inspection.faults import class_list
from stars_mm.preparation.inspection.report import Finding, Inspection, finding
from stars_mm.utils.input_error import shown

#: A body so many times larger or smaller than the median is in another unit.
OTHER_UNIT = 5
#: A label by mistake may leave billions of classes without clips.
MAX_GAPS = 1000
#: What a split is for, within its name: 'xsub_train', 'test1'.
_ROLE = re.compile(r'(?<![a-z])(train|val|test)(?:ing|id|idation)?(?![a-z])', re.IGNORECASE)
_MOTION = dict(
    empty_frames='frames are zero throughout',
    jump='a joint moves, from one frame to the next, farther than '
    f"{JUMP_OF_SIZE} of the body's size and than {JUMP_OF_MEDIAN} times the clip's median step",
    still='nothing moves',
    unused_frames='total_frames is less than the keypoint has: the frames beyond are never used',
    other_unit=f'bodies are {OTHER_UNIT} times larger or smaller than in the other clips: '
    'another unit?',
)


def split_pairs(splits: Iterable[str]) -> list[tuple[str, str]]:
    """Splits whose names say that they exclude one another: those that differ in 'train', 'val' and
    'test' alone, as 'xsub_train' and 'xsub_val' do; training comes first."""
    protocols = defaultdict(list)
    for split in splits:
        roles = list(_ROLE.finditer(split)) if isinstance(split, str) else []
        if roles:
            match = roles[-1]  # 'xsub_val1_train' is for training
            role = ('train', 'val', 'test').index(match[1].lower())
            protocols[split[: match.start()], split[match.end() :]].append((role, split))
    pairs: list[tuple[str, str]] = []
    for alike in protocols.values():
        names = [split for _, split in sorted(alike, key=lambda entry: entry[0])]
        pairs += combinations(names, 2)
    return pairs


def name_doubts(report: Inspection) -> list[Finding]:
    """Names on both sides of a protocol, given twice, or in no split."""
    found = []
    for one, other in report.pairs:
        both = sorted(set(report.listed[one]) & set(report.listed[other]), key=str)
        message = f'clips of {shown(other)} are in {shown(one)} too'
        found += finding('overlap', message, map(shown, both))
    message = 'several annotations have one name: a split takes all of them'
    twice = _repeated(name for name in report.names if name is not None)
    found += finding('name_twice', message, (f'{shown(n)}: {c} annotations' for n, c in twice))
    for split in report.splits:
        message = f'split {shown(split)} lists names more than once; each is taken once'
        twice = _repeated(report.listed[split])
        found += finding('listed_twice', message, (shown(name) for name, _ in twice))
    if report.splits:
        used = {number for group in report.splits.values() for number in group.members}
        unused = (shown(name) for n, name in enumerate(report.names) if n not in used)
        found += finding('unused', 'clips are in no split', unused)
    return found


def _repeated(names: Iterable) -> list[tuple[Any, int]]:
    return [(name, count) for name, count in Counter(names).items() if count > 1]


def copy_doubts(report: Inspection) -> list[Finding]:
    """Clips with the same coordinates under different names."""
    names, classes = report.names, report.classes
    alike = defaultdict(list)
    for number, clip in report.stats.items():
        alike[clip.digest].append(number)
    found, across = [], set()
    for one, other in report.pairs:
        first, cases = set(report.splits[one].members), []
        for number in report.splits[other].members:
            group = alike[report.stats[number].digest] if number in report.stats else []
            copies = [n for n in first.intersection(group) if names[n] != names[number]]
            if copies:
                across.add(number)
                cases.append(f'{shown(names[number])} = {shown(names[min(copies)])}')
        message = f'clips of {shown(other)} have the very coordinates of clips of {shown(one)}'
        found += finding('copy_across', message, cases)
    same_side, relabelled = [], []
    for first, *others in alike.values():
        for n in others:
            one, other = shown(names[n]), shown(names[first])
            if names[n] == names[first]:
                continue
            if not across.intersection((first, n)):
                same_side.append(f'{one} = {other}')
            if sorted(classes[n]) != sorted(classes[first]):
                relabelled.append(f'{one}: {classes[n]}, {other}: {classes[first]}')
    message = 'clips have the very coordinates of another one'
    found += finding('copy', f'{message} on their side', same_side)
    return found + finding('copy_label', f'{message}, and another label', relabelled)


def class_doubts(report: Inspection, class_names: Any, unlabeled: list[int]) -> list[Finding]:
    """Clips without labels, by position; classes without clips, or without clips to train on;
    unusable ``class_names``."""
    found = []
    if class_names is not None and class_list(class_names) is None:
        message = f'class_names is {shown(class_names)}, no list of text'
        found.append(Finding('class_names', message, 1))
    twice = (shown(name) for name, _ in _repeated(report.class_names or ()))
    found += finding('class_names', 'classes have one name', twice)
    present, clips = report.whole.class_counts, len(report.names)
    if clips and not present:
        uses = 'both stages of training can use the file, and no evaluation'
        return [*found, Finding('no_label', f'no clip has a label: {uses}', clips)]
    message = 'clips have no label: they train, and are not judged'
    found += finding('no_label', message, (shown(report.names[n]) for n in unlabeled))
    if len(present) == 1:
        (label,) = present
        message = 'there is a single class: nothing can be told apart. If it is the name of a '
        message += 'folder, the folder above may be the one to convert'
        found += finding('one_class', message, [report.class_name(label) or f'class {label}'])
    if report.num_classes > len(present):
        absent = (f'class {n}' for n in range(report.num_classes) if n not in present)
        message = f'of {report.num_classes} classes some have no clip'
        count = report.num_classes - len(present)
        found.append(Finding('label_gap', message, count, tuple(islice(absent, MAX_GAPS))))
    for one, other in report.pairs:
        train, test = report.splits[one].class_counts, report.splits[other].class_counts
        message = f'classes of {shown(other)} have no clip in {shown(one)}'
        unseen = (f'class {label}' for label in sorted(set(test) - set(train)))
        found += finding('class_unseen', message, unseen)
    return found


def motion_doubts(report: Inspection) -> list[Finding]:
    """Clips in which bodies vanish, leap, freeze, or are of another size."""
    cases: dict[str, list[str]] = {kind: [] for kind in _MOTION}
    leaps, usual = [], report.units.body_size
    for number, clip in report.stats.items():
        name = shown(report.names[number])
        if clip.jump:
            leaps.append((name, clip.jump))
        if clip.empty_frames:
            cases['empty_frames'].append(f'{name}: {clip.empty_frames} of {clip.frames} frames')
        if clip.still:
            cases['still'].append(f'{name}: {clip.frames} frame{"s" * (clip.frames > 1)}')
        if clip.unused:
            cases['unused_frames'].append(f'{name}: {clip.frames} of {clip.frames + clip.unused}')
        like_others = usual / OTHER_UNIT <= clip.size <= usual * OTHER_UNIT
        if report.units.dims == 3 and clip.size and np.isfinite(clip.size) and not like_others:
            cases['other_unit'].append(f'{name}: {clip.size:.3g} beside {usual:.3g}')
    cases['jump'] = [
        f'{name}: person {jump.person} joint {jump.joint} by {jump.sizes:.2f} of the size at frame '
        f'{jump.frame}'
        for name, jump in sorted(leaps, key=lambda leap: -leap[1].sizes)
    ]
    return [found for kind in _MOTION for found in finding(kind, _MOTION[kind], cases[kind])]
