"""Picks the clips of some classes, whose numbers stay as they are."""

import re
from collections.abc import Sequence

import numpy as np

from stars_mm.preparation.annotation_file import clip_key


def check_label_list(labels: Sequence[int | str]) -> None:
    """Raises a ValueError where ``labels`` is no list of classes."""
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Sequence) or not labels:
        raise ValueError(
            f"labels={labels!r}: give a list of classes, such as [60, 61] or ['A061', 'A062']."
        )
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, (int, np.integer, str)) or label == '':
            raise ValueError(
                f'labels: {label!r} is neither the number of a class nor a '
                "part of its clips' names."
            )
    if len(set(labels)) < len(labels):
        double = next(label for n, label in enumerate(labels) if label in labels[:n])
        raise ValueError(f'labels: {double!r} is listed twice. Remove one.')


def select_labels(clips: list[dict], labels: Sequence[int | str], source: str) -> list[dict]:
    """Picks the clips of some classes; the labels are not numbered anew.

    Args:
        clips (list[dict]): Annotations.
        labels (Sequence[int | str]): Classes by number, or by what the clips' names say: 'A061'
            takes those of the 61st action of NTU RGB+D, 'a05' those of NW-UCLA's fifth.
        source (str): The split and its file, for messages.

    Returns:
        list[dict]: The clips of these classes, in their order.

    Raises:
        ValueError: If a class has no clip.
    """
    key = clip_key(clips)
    numbers = {label for label in labels if not isinstance(label, str)}
    patterns = {
        # A061 is neither AA061 nor A0611
        label: re.compile(rf'(?<![A-Za-z]){re.escape(label)}(?!\d)')
        for label in labels
        if isinstance(label, str)
    }
    chosen, found = [], set()
    for clip in clips:
        name = str(clip.get(key, ''))
        own = {label for label, pattern in patterns.items() if pattern.search(name)}
        if clip.get('label') in numbers:
            own.add(clip['label'])
        if own:
            chosen.append(clip)
            found |= own
    absent = [label for label in labels if label not in found]
    if absent:
        known = sorted({clip.get('label') for clip in clips}, key=str)
        example = str(clips[0].get(key)) if clips else ''
        raise ValueError(
            f'labels: {len(absent)} of {len(labels)} have no clip in '
            f'{source}, such as {absent[0]!r}. Its classes are {_ranges(known)}, its '
            f'clips have names like {example!r}.'
        )
    return chosen


def _ranges(numbers: list) -> str:
    """Numbers as '0–4, 7'; others as they are."""
    if not all(isinstance(n, (int, np.integer)) for n in numbers):
        return ', '.join(map(str, numbers))
    runs = []
    for n in sorted(map(int, numbers)):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ', '.join(str(a) if a == b else f'{a}–{b}' for a, b in runs)
