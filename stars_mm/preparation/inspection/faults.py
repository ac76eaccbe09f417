"""Faults: what no training can use, found by the functions by which
:class:`~stars_mm.datasets.SkeletonDataset` refuses a file."""

import re
from collections import defaultdict
from typing import Any

import numpy as np

from stars_mm.preparation.annotation_file import Splits, select_split
from stars_mm.preparation.clip_faults import find_faults, is_class_list, label_fault
from stars_mm.preparation.inspection.report import Finding, finding
from stars_mm.utils.input_error import shown


def _name_of(clip: dict, key: str, number: int) -> str:
    return shown(clip[key]) if key in clip else f'annotation {number}'


def clip_faults(
    annotations: list[dict], key: str, unit: str | None = None
) -> tuple[dict[int, str], list[Finding]]:
    """Clips of a wrong shape, with NaN, zero throughout, …: position → what is wrong with it; and
    the findings, one for all clips whose faults differ in numbers alone."""
    faults = find_faults(annotations, unit=unit)
    alike = defaultdict(list)
    for number, fault in sorted(faults.items()):
        case = f'{_name_of(annotations[number], key, number)}: {fault}'
        alike[re.sub(r'-?\d[\d.]*', '…', fault)].append(case)
    return faults, [Finding('clip', fault, len(some), tuple(some)) for fault, some in alike.items()]


def is_multi_class(annotations: list[dict]) -> bool:
    """Whether labels are lists of classes, as the first label of a clip is."""
    labels = (clip.get('label') for clip in annotations)
    return is_class_list(next((label for label in labels if label is not None), None))


def classes_of(clip: dict, multi_class: bool) -> list[int]:
    """The classes of a clip, less those that are no integer from 0."""
    label: Any = clip.get('label')
    values = label if multi_class and is_class_list(label) else [label]
    return [int(value) for value in values if isinstance(value, (int, np.integer)) and value >= 0]


def class_list(class_names: Any) -> list[str] | None:
    """The names of the classes; None where they are no list of text."""
    if isinstance(class_names, np.ndarray):  # as an .npz holds them
        class_names = class_names.tolist()
    if not isinstance(class_names, (list, tuple)) or not class_names:
        return None
    return list(class_names) if all(isinstance(name, str) for name in class_names) else None


def label_faults(
    annotations: list[dict], key: str, num_classes: int, named: bool, multi_class: bool
) -> list[Finding]:
    """Labels that are no class from 0 to ``num_classes`` - 1, which are the file's ``class_names``
    or up to its largest label. A clip without a label is no fault: pretraining needs none."""
    if all(clip.get('label') is None for clip in annotations):
        return []
    cases = [
        f'{_name_of(clip, key, n)}: {shown(clip.get("label"))}'
        for n, clip in enumerate(annotations)
        if label_fault(clip, num_classes, multi_class)
    ]
    extent = f'names {num_classes} in class_names'
    if not named:
        extent = f'has {num_classes} by its largest label'
    return finding('label', f'the label is no class of the file, which {extent}', cases)


def split_faults(
    annotations: list[dict], splits: Splits | None, key: str, path: str
) -> tuple[dict[str, list[int]], list[Finding]]:
    """Splits that are empty, or list what is not there: the positions of each usable split's clips,
    and the findings."""
    members: dict[str, list[int]] = {}
    refused: dict[str, None] = {}  # one fault may be each split's
    findings: list[Finding] = []
    for split in (None, *(splits or ())):
        try:
            _, missing = select_split(annotations, splits, split, path)
        except ValueError as error:
            refused[str(error)] = None
        except TypeError as error:  # such as a number where a list belongs
            names = 'its names, or those of the annotations, are no list of text'
            refused[f'split={shown(split)}: {names} ({error})'] = None
        else:
            if split is None or splits is None:
                continue
            message = f'split {shown(split)} lists clips that have no annotation'
            findings += finding('missing', message, map(shown, missing))
            names = set(splits[split])
            members[split] = [n for n, clip in enumerate(annotations) if clip[key] in names]
    return members, [Finding('split', text, 1) for text in refused] + findings
