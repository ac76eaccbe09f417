"""Warnings: what trains, and may not mean what it seems to."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import combinations, islice
from typing import Any

import numpy as np

from stars_mm.preparation.annotation_file import Splits
from stars_mm.preparation.inspection.clip_stats import JUMP_OF_MEDIAN, JUMP_OF_SIZE, ClipStats
from stars_mm.preparation.inspection.faults import class_list
from stars_mm.preparation.inspection.findings import Finding, finding, shown
from stars_mm.preparation.inspection.units import Units

#: A body so many times larger or smaller than the median is in another unit.
OTHER_UNIT = 5
#: A label by mistake may leave billions of classes without clips.
MAX_GAPS = 1000
#: What a split is for, within its name: 'xsub_train', 'test1'.
_ROLE = re.compile(r'(?<![a-z])(train|val|test)(?:ing|id|idation)?(?![a-z])', re.IGNORECASE)


def split_pairs(splits: Iterable[str]) -> list[tuple[str, str]]:
    """Splits whose names say that they exclude one another.

    Args:
        splits (Iterable[str]): Their names.

    Returns:
        list[tuple[str, str]]: Those that differ in 'train', 'val' and 'test'
        alone, as 'xsub_train' and 'xsub_val' do; training comes first.
    """
    protocols = defaultdict(list)
    for split in splits:
        match = _ROLE.search(split) if isinstance(split, str) else None
        if match:
            protocol = split[: match.start()], split[match.end() :]
            protocols[protocol].append((match[1].lower(), split))
    order = ('train', 'val', 'test')
    return [
        (one, other)
        for alike in protocols.values()
        for (_, one), (_, other) in combinations(
            sorted(alike, key=lambda entry: order.index(entry[0])), 2
        )
    ]


def name_warnings(
    names: list[Any], splits: Splits, members: dict[str, list[int]], pairs: list[tuple[str, str]]
) -> list[Finding]:
    """Names on both sides of a protocol, given twice, or in no split.

    Args:
        names (list): Of each clip.
        splits (dict): The names of each split's clips.
        members (dict): The positions of each usable split's clips.
        pairs (list[tuple[str, str]]): Splits that exclude one another.

    Returns:
        list[Finding]: The warnings.
    """
    found = []
    for one, other in pairs:
        both = sorted(set(splits[one]) & set(splits[other]), key=str)
        found += finding(
            'overlap', f'clips of {shown(other)} are in {shown(one)} too', map(shown, both)
        )
    counts = Counter(name for name in names if name is not None)
    found += finding(
        'name_twice',
        'several annotations have one name: a split takes all of them',
        (f'{shown(name)}: {count} annotations' for name, count in counts.items() if count > 1),
    )
    for split in members:
        counts = Counter(splits[split])
        found += finding(
            'listed_twice',
            f'split {shown(split)} lists names more than once; each is taken once',
            (shown(n) for n, c in counts.items() if c > 1),
        )
    if members:
        used = set().union(*members.values())
        found += finding(
            'unused',
            'clips are in no split',
            (shown(name) for number, name in enumerate(names) if number not in used),
        )
    return found


def copy_warnings(
    names: list[Any],
    classes: list[list[int]],
    stats: dict[int, ClipStats],
    members: dict[str, list[int]],
    pairs: list[tuple[str, str]],
) -> list[Finding]:
    """Clips with the same coordinates under different names.

    Args:
        names (list): Of each clip.
        classes (list[list[int]]): Of each clip.
        stats (dict): Position of a clip → what is measured of it.
        members (dict): The positions of each usable split's clips.
        pairs (list[tuple[str, str]]): Splits that exclude one another.

    Returns:
        list[Finding]: The warnings.
    """
    alike = defaultdict(list)
    for number, clip in stats.items():
        alike[clip.digest].append(number)

    def copies_of(number: int, among: Iterable[int]) -> list[int]:
        return [n for n in among if names[n] != names[number]]

    found, across = [], set()
    for one, other in pairs:
        first, cases = set(members[one]), []
        for number in members[other]:
            group = alike[stats[number].digest] if number in stats else []
            copies = copies_of(number, first.intersection(group))
            if copies:
                across.add(number)
                cases.append(f'{shown(names[number])} = {shown(names[min(copies)])}')
        found += finding(
            'copy_across',
            f'clips of {shown(other)} have the very coordinates of clips of {shown(one)}',
            cases,
        )
    groups = [
        (group[0], copies)
        for group in alike.values()
        for copies in [copies_of(group[0], group)]
        if copies
    ]
    found += finding(
        'copy',
        'clips have the very coordinates of another one on their side',
        (
            f'{shown(names[n])} = {shown(names[first])}'
            for first, copies in groups
            for n in copies
            if not across.intersection((first, n))
        ),
    )
    found += finding(
        'copy_label',
        'clips have the very coordinates of another one, and another label',
        (
            f'{shown(names[n])}: {classes[n]}, {shown(names[first])}: {classes[first]}'
            for first, copies in groups
            for n in copies
            if sorted(classes[n]) != sorted(classes[first])
        ),
    )
    return found


def class_warnings(
    annotations: list[dict],
    class_names: Any,
    num_classes: int,
    class_counts: dict[str, dict[int, int]],
    pairs: list[tuple[str, str]],
) -> list[Finding]:
    """Classes without clips, or without clips to train on.

    Args:
        annotations (list[dict]): All clips of the file.
        class_names (Any): What the file has under this key.
        num_classes (int): Labels are 0 to ``num_classes`` - 1.
        class_counts (dict): Clips by class, of each split, and of the whole file under None.
        pairs (list[tuple[str, str]]): Splits that exclude one another.

    Returns:
        list[Finding]: The warnings.
    """
    found = []
    texts = class_list(class_names)
    if class_names is not None and texts is None:
        found.append(
            Finding('class_names', f'class_names is {shown(class_names)}, no list of text', 1)
        )
    elif texts:
        found += finding(
            'class_names',
            'classes have one name',
            (shown(name) for name, count in Counter(texts).items() if count > 1),
        )
    present = class_counts[None]
    if annotations and not present:
        found.append(
            Finding(
                'no_label',
                'no clip has a label: masked motion prediction can '
                'use the file, tuning as well, and no evaluation',
                len(annotations),
            )
        )
    elif num_classes > len(present):
        absent = (n for n in range(num_classes) if n not in present)
        found.append(
            Finding(
                'label_gap',
                f'of {num_classes} classes some have no clip',
                num_classes - len(present),
                tuple(f'class {n}' for n in islice(absent, MAX_GAPS)),
            )
        )
    for one, other in pairs:
        unseen = sorted(set(class_counts[other]) - set(class_counts[one]))
        found += finding(
            'class_unseen',
            f'classes of {shown(other)} have no clip in {shown(one)}',
            (f'class {label}' for label in unseen),
        )
    return found


def motion_warnings(names: list[Any], stats: dict[int, ClipStats], units: Units) -> list[Finding]:
    """Clips in which bodies vanish, leap, freeze, or are of another size.

    Args:
        names (list): Of each clip.
        stats (dict): Position of a clip → what is measured of it.
        units (Units): The unit of the file.

    Returns:
        list[Finding]: The warnings.
    """
    clips = [(shown(names[number]), clip) for number, clip in stats.items()]
    leaps = sorted(
        ((name, clip) for name, clip in clips if clip.jumps), key=lambda entry: -entry[1].jump.sizes
    )
    size = units.body_size
    return [
        *finding(
            'empty_frames',
            'frames are zero throughout',
            (
                f'{name}: {clip.empty_frames} of {clip.frames} frames'
                for name, clip in clips
                if clip.empty_frames
            ),
        ),
        *finding(
            'jump',
            'a joint moves, from one frame to the next, farther '
            f"than {JUMP_OF_SIZE} of the body's size and than "
            f"{JUMP_OF_MEDIAN} times the clip's median step",
            (
                f'{name}: person {clip.jump.person} joint '
                f'{clip.jump.joint} by {clip.jump.sizes:.2f} of the '
                f'size at frame {clip.jump.frame}'
                for name, clip in leaps
            ),
        ),
        *finding(
            'still',
            'nothing moves',
            (
                f'{name}: {clip.frames} frame{"s" * (clip.frames > 1)}'
                for name, clip in clips
                if clip.still
            ),
        ),
        *finding(
            'unused_frames',
            'total_frames is less than the keypoint has: the frames beyond are never used',
            (
                f'{name}: {clip.frames} of {clip.frames + clip.unused}'
                for name, clip in clips
                if clip.unused
            ),
        ),
        *finding(
            'other_unit',
            f'bodies are {OTHER_UNIT} times larger or '
            'smaller than in the other clips: another unit?',
            (
                f'{name}: {clip.size:.3g} beside {size:.3g}'
                for name, clip in clips
                if units.dims == 3
                and clip.size
                and not size / OTHER_UNIT <= clip.size <= (size * OTHER_UNIT)
                and np.isfinite(clip.size)
            ),
        ),
    ]
