"""Puts together what is found in an annotation file."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from stars_mm.preparation.annotation_file import Splits, clip_key
from stars_mm.preparation.inspection.clip_stats import ClipStats, measure_clip
from stars_mm.preparation.inspection.faults import (
    class_list,
    classes_of,
    clip_faults,
    is_multi_class,
    label_faults,
    split_faults,
)
from stars_mm.preparation.inspection.findings import Finding, shown
from stars_mm.preparation.inspection.plausibility import (
    class_warnings,
    copy_warnings,
    motion_warnings,
    name_warnings,
    split_pairs,
)
from stars_mm.preparation.inspection.units import Units, guess_units


@dataclass
class Group:
    """Some clips of a file: a split, or all.

    Attributes:
        members (list[int]): Their positions in the file.
        lengths (np.ndarray): (n,) frames of each one that has no fault.
        class_counts (dict[int, int]): Clips of each class that has some.
    """

    members: list[int]
    lengths: np.ndarray
    class_counts: dict[int, int]

    def as_dict(self) -> dict[str, Any]:
        """Numbers of clips, classes and frames."""
        report = dict(clips=len(self.members), classes=len(self.class_counts))
        if len(self.lengths):
            report['frames'] = dict(
                min=int(self.lengths.min()),
                median=float(np.median(self.lengths)),
                mean=round(float(self.lengths.mean()), 2),
                max=int(self.lengths.max()),
            )
        return report


@dataclass
class Inspection:
    """What is found in an annotation file.

    Attributes:
        path (str): The file.
        whole (Group): All clips.
        splits (dict[str, Group]): Those of each split that can be used.
        pairs (list[tuple[str, str]]): Splits that exclude one another, such
            as 'xsub_train' and 'xsub_val'.
        num_classes (int): Of class_names, or by the largest label.
        class_names (list[str], optional): As the file has them.
        shapes (dict[tuple, int]): Clips by (V, C) of those without a fault.
        dtypes (dict[str, int]): Clips by type of number.
        persons (dict[int, int]): Clips by number of persons.
        units (Units): The unit, as it seems.
        stats (dict[int, ClipStats]): What is measured of each clip without a fault, by position.
        faults (list[Finding]): What no training can use.
        warnings (list[Finding]): What trains, but looks wrong.
    """

    path: str
    whole: Group
    splits: dict[str, Group]
    pairs: list[tuple[str, str]]
    num_classes: int
    class_names: list[str] | None
    shapes: dict[tuple[int, int], int]
    dtypes: dict[str, int]
    persons: dict[int, int]
    units: Units
    stats: dict[int, ClipStats]
    faults: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def class_name(self, label: int) -> str | None:
        """The name of a class, None where the file has none."""
        if 0 <= label < len(self.class_names or ()):
            return self.class_names[label]
        return None

    def labels(self) -> list[int]:
        """All classes that have a clip or a name."""
        named = range(len(self.class_names or ()))
        return sorted(set(self.whole.class_counts).union(named))

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain Python types, for JSON."""
        size = self.units.body_size
        classes = [
            dict(
                label=label,
                name=self.class_name(label),
                clips=self.whole.class_counts.get(label, 0),
                splits={
                    str(split): group.class_counts.get(label, 0)
                    for split, group in self.splits.items()
                },
            )
            for label in self.labels()
        ]
        return dict(
            file=self.path,
            sound=not self.faults,
            whole=self.whole.as_dict(),
            splits={str(split): group.as_dict() for split, group in self.splits.items()},
            classes=classes,
            shapes=[
                dict(joints=V, coordinates=C, clips=count) for (V, C), count in self.shapes.items()
            ],
            dtypes=self.dtypes,
            persons={str(k): n for k, n in self.persons.items()},
            units=dict(
                self.units._asdict(), body_size=(round(size, 4) if np.isfinite(size) else None)
            ),
            compared=[list(pair) for pair in self.pairs],
            faults=[asdict(finding) for finding in self.faults],
            warnings=[asdict(finding) for finding in self.warnings],
        )


def _group(
    members: list[int], stats: dict[int, ClipStats], classes: list[list[int]], num_classes: int
) -> Group:
    counts = Counter(label for n in members for label in set(classes[n]) if label < num_classes)
    return Group(
        members,
        np.array([stats[n].frames for n in members if n in stats], dtype=int),
        dict(sorted(counts.items())),
    )


def _units(stats: dict[int, ClipStats], annotations: list[dict]) -> Units:
    if not stats:
        return guess_units([], 0, 3)
    sizes = [clip.size for clip in stats.values()]
    reach = max(clip.reach for clip in stats.values())
    scored = sum(clip.scored for clip in stats.values())
    dims = annotations[next(iter(stats))]['keypoint'].shape[3]
    return guess_units(sizes, reach, 2 if 2 * scored > len(stats) else dims)


def _name(clip: dict, key: str) -> Any:
    """The name of a clip; as text where it is a list or the like."""
    try:
        hash(clip.get(key))
    except TypeError:
        return shown(clip[key])
    return clip.get(key)


def _describe(
    annotations: list[dict],
    path: str,
    classes: list[list[int]],
    num_classes: int,
    names: list[str] | None,
    members: dict[str, list[int]],
    stats: dict[int, ClipStats],
) -> Inspection:
    """What the file holds, and nothing yet of what is wrong with it."""
    arrays = [annotations[number]['keypoint'] for number in stats]
    persons = Counter(clip.persons for clip in stats.values())
    everything = list(range(len(annotations)))
    return Inspection(
        path=path,
        whole=_group(everything, stats, classes, num_classes),
        splits={
            split: _group(numbers, stats, classes, num_classes)
            for split, numbers in members.items()
        },
        pairs=split_pairs(members),
        num_classes=num_classes,
        class_names=names,
        shapes=dict(Counter(array.shape[2:] for array in arrays)),
        dtypes=dict(Counter(str(array.dtype) for array in arrays)),
        persons=dict(sorted(persons.items())),
        units=_units(stats, annotations),
        stats=stats,
    )


def inspect_annotations(
    annotations: list[dict],
    splits: Splits | None,
    class_names: Any = None,
    path: str = 'annotations',
    track: Callable[[list[dict]], Iterable[dict]] = iter,
) -> Inspection:
    """Looks through the clips and splits of a file.

    Args:
        annotations (list[dict]): As :func:`load_annotations` gives them.
        splits (dict, optional): Likewise.
        class_names (list[str], optional): As the file has them; anything else is warned of.
        path (str): The file, for messages.
        track (Callable): Iterates over the annotations, to show progress.

    Returns:
        Inspection: What is found.
    """
    key = clip_key(annotations)
    multi_class = is_multi_class(annotations)
    classes = [classes_of(clip, multi_class) for clip in annotations]
    class_texts = class_list(class_names)
    num_classes = len(class_texts or ()) or 1 + max(
        (label for labels in classes for label in labels), default=-1
    )
    members, faults = split_faults(annotations, splits, key, path)
    faulty, found = clip_faults(annotations, key)
    faults += found
    faults += label_faults(annotations, key, num_classes, class_texts)
    stats = {
        number: measure_clip(clip)
        for number, clip in enumerate(track(annotations))
        if number not in faulty
    }
    result = _describe(annotations, path, classes, num_classes, class_texts, members, stats)
    names = [_name(clip, key) for clip in annotations]
    counts = {name: group.class_counts for name, group in result.splits.items()}
    counts[None] = result.whole.class_counts
    result.faults = faults
    result.warnings = [
        *name_warnings(names, splits or {}, members, result.pairs),
        *copy_warnings(names, classes, stats, members, result.pairs),
        *class_warnings(annotations, class_names, num_classes, counts, result.pairs),
        *motion_warnings(names, stats, result.units),
    ]
    return result
