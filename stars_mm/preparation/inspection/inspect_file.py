"""Puts together what is found in an annotation file."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from stars_mm.preparation.annotation_file import Splits, clip_key
from stars_mm.preparation.inspection import doubts, faults
from stars_mm.preparation.inspection.clip_stats import guess_units, measure_clip
from stars_mm.preparation.inspection.report import Group, Inspection, shown


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
    """
    key = clip_key(annotations)
    multi_class = faults.is_multi_class(annotations)
    classes = [faults.classes_of(clip, multi_class) for clip in annotations]
    texts = faults.class_list(class_names)
    largest = max((label for labels in classes for label in labels), default=-1)
    num_classes = len(texts or ()) or 1 + largest
    members, found = faults.split_faults(annotations, splits, key, path)
    faulty, of_clips = faults.clip_faults(annotations, key)
    found += of_clips
    found += faults.label_faults(annotations, key, num_classes, texts is not None, multi_class)
    stats = {
        number: measure_clip(clip)
        for number, clip in enumerate(track(annotations))
        if number not in faulty
    }

    def group(numbers: list[int]) -> Group:
        counts = Counter(label for n in numbers for label in set(classes[n]) if label < num_classes)
        lengths = np.array([stats[n].frames for n in numbers if n in stats], dtype=int)
        return Group(numbers, lengths, dict(sorted(counts.items())))

    arrays = [annotations[number]['keypoint'] for number in stats]
    scored = 2 * sum(clip.scored for clip in stats.values()) > len(stats)
    dims = 2 if scored else arrays[0].shape[3] if arrays else 3
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
        shapes=dict(Counter(array.shape[2:] for array in arrays)),
        dtypes=dict(Counter(str(array.dtype) for array in arrays)),
        persons=dict(sorted(Counter(clip.persons for clip in stats.values()).items())),
        units=guess_units([clip.size for clip in stats.values()], reach, dims),
        stats=stats,
        faults=found,
    )
    report.warnings = [
        *doubts.name_doubts(report),
        *doubts.copy_doubts(report),
        *doubts.class_doubts(report, class_names),
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
