"""Puts together what is found in an annotation file."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from stars_mm.preparation.annotation_file import Splits, clip_key
from stars_mm.preparation.inspection import doubts, faults
from stars_mm.preparation.inspection.clip_stats import (
    ClipStats,
    guess_units,
    measure_clip,
    unit_fault,
)
from stars_mm.preparation.inspection.report import Finding, Group, Inspection
from stars_mm.utils.input_error import shown


def inspect_annotations(
    annotations: list[dict],
    splits: Splits | None,
    class_names: Any = None,
    path: str = 'annotations',
    track: Callable[[list[dict]], Iterable[dict]] = iter,
    unit: str | None = None,
) -> Inspection:
    """Looks through the clips and splits of a file.

    Args:
        annotations (list[dict]): As :func:`load_annotations` gives them.
        splits (dict, optional): Likewise.
        class_names (list[str], optional): As the file has them; anything else is warned of.
        path (str): The file, for messages.
        track (Callable): Iterates over the annotations, to show progress.
        unit (str, optional): What the file's layout declares.
    """
    faulty, found = faults.clip_faults(annotations, clip_key(annotations), unit)
    stats = {
        number: measure_clip(clip)
        for number, clip in enumerate(track(annotations))
        if number not in faulty
    }
    arrays = [annotations[number]['keypoint'] for number in stats]
    shapes = dict(Counter(array.shape[2:] for array in arrays))
    dtypes = dict(Counter(str(array.dtype) for array in arrays))
    report = inspect_measured(annotations, splits, class_names, path, stats, shapes, dtypes, unit)
    report.faults[:0] = found
    return report


def inspect_measured(
    annotations: list[dict],
    splits: Splits | None,
    class_names: Any,
    path: str,
    stats: dict[int, ClipStats],
    shapes: dict[tuple[int, int], int],
    dtypes: dict[str, int],
    unit: str | None = None,
) -> Inspection:
    """The same of clips that were measured before and are not at fault: ``annotations`` may lack
    their arrays, ``stats`` is by position, ``shapes`` and ``dtypes`` are as in
    :class:`Inspection`."""
    key = clip_key(annotations)
    multi_class = faults.is_multi_class(annotations)
    classes = [faults.classes_of(clip, multi_class) for clip in annotations]
    texts = faults.class_list(class_names)
    largest = max((label for labels in classes for label in labels), default=-1)
    num_classes = len(texts or ()) or 1 + largest
    members, found = faults.split_faults(annotations, splits, key, path)
    found += faults.label_faults(annotations, key, num_classes, texts is not None, multi_class)

    def group(numbers: list[int]) -> Group:
        counts = Counter(label for n in numbers for label in set(classes[n]) if label < num_classes)
        lengths = np.array([stats[n].frames for n in numbers if n in stats], dtype=int)
        return Group(numbers, lengths, dict(sorted(counts.items())))

    scored = 2 * sum(clip.scored for clip in stats.values()) > len(stats)
    dims = 2 if scored else next(iter(shapes), (0, 3))[1]
    reach = max((clip.reach for clip in stats.values()), default=0)
    report = Inspection(
        path=path,
        names=[_name(clip, key) for clip in annotations],
        classes=classes,
        listed=splits or {},
        whole=group(list(range(len(annotations)))),
        splits={split: group(numbers) for split, numbers in members.items()},
        pairs=doubts.split_pairs(members),
        num_classes=num_classes,
        class_names=texts,
        shapes=shapes,
        dtypes=dtypes,
        persons=dict(sorted(Counter(clip.persons for clip in stats.values()).items())),
        units=guess_units([clip.size for clip in stats.values()], reach, dims),
        stats=stats,
        faults=found,
    )
    wrong = unit_fault(unit, report.units)
    report.faults += [Finding('unit', wrong, len(stats))] if wrong else []
    unlabeled = [n for n, clip in enumerate(annotations) if clip.get('label') is None]
    report.warnings = [
        *doubts.name_doubts(report),
        *doubts.copy_doubts(report),
        *doubts.class_doubts(report, class_names, unlabeled),
        *doubts.motion_doubts(report),
    ]
    return report


def _name(clip: dict, key: str) -> Any:
    """The name of a clip; as text where it is a list or the like."""
    try:
        hash(clip.get(key))
    except TypeError:
        return shown(clip[key])
    return clip.get(key)
