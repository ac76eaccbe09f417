"""Picks clips of a split: those that an index file names, or those of some classes."""

import re
from collections.abc import Sequence

import numpy as np

from stars_mm.preparation.annotation_file import clip_key
from stars_mm.utils.atomic import naming
from stars_mm.utils.input_error import InputError

_HOW_TO_MAKE = 'Draw one: python tools/data/draw_subset.py ANN SPLIT DST_DIR --percent 1 10'


def read_subset(path: str) -> list[str]:
    """Reads the names of an index file, one a line; empty lines and # comments do not count. An
    InputError if it names no clip, or one of them twice."""
    try:
        with naming(path), open(path, encoding='utf-8') as file:
            lines = [line.strip() for line in file]
    except FileNotFoundError:
        text = f'subset={path!r}: there is no such file. {_HOW_TO_MAKE}.'
        raise FileNotFoundError(text) from None
    except UnicodeDecodeError as error:
        raise InputError(path, f'is no text file ({error}) of one clip a line') from error
    names = [line for line in lines if line and not line.startswith('#')]
    if not names:
        raise InputError(path, 'names no clip', f'{_HOW_TO_MAKE}.')
    double = _first_double(names)
    if double is not None:
        raise InputError(path, f'names {double!r} twice', 'Remove one.')
    return names


def _first_double(items: Sequence) -> int | str | None:
    """The first item that has stood before."""
    seen = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def select_subset(
    clips: list[dict], missing: list[str], path: str, source: str
) -> tuple[list[dict], list[str]]:
    """Picks the clips that the index file ``path`` names, and the names among ``missing``, which
    the split lists and the annotation file lacks; a ValueError if the split has no clip of a name.
    """
    names = read_subset(path)
    key = clip_key(clips)
    known = {clip.get(key) for clip in clips} | set(missing)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f'subset={path!r}: names {len(unknown)} clips that {source} does not have, such as '
            f'{unknown[0]!r}. It was drawn from another split or file: draw it again.'
        )
    wanted = set(names)
    return (
        [clip for clip in clips if clip[key] in wanted],
        [name for name in missing if name in wanted],
    )


def check_class_list(labels: Sequence[int | str]) -> None:
    """Raises a ValueError where ``labels`` is no list of classes."""
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Sequence) or not labels:
        raise ValueError(
            f"labels={labels!r}: give a list of classes, such as [60, 61] or ['A061', 'A062']."
        )
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, (int, np.integer, str)) or label == '':
            text = "neither the number of a class nor a part of its clips' names"
            raise ValueError(f'labels: {label!r} is {text}.')
    double = _first_double(labels)
    if double is not None:
        raise ValueError(f'labels: {double!r} is listed twice. Remove one.')


def select_classes(clips: list[dict], labels: Sequence[int | str], source: str) -> list[dict]:
    """Picks the clips of some classes, given by number, or by what their clips' names say: 'A061'
    takes the 61st action of NTU RGB+D, 'a05' NW-UCLA's fifth. The labels are not numbered anew. A
    ValueError if a class has no clip."""
    key = clip_key(clips)
    patterns = {
        # A061 is neither AA061 nor A0611
        label: re.compile(rf'(?<![A-Za-z]){re.escape(label)}(?!\d)')
        for label in labels
        if isinstance(label, str)
    }
    chosen: list = []
    found: set[int | str] = set()
    for clip in clips:
        name = str(clip.get(key, ''))
        own: set[int | str] = {label for label, pattern in patterns.items() if pattern.search(name)}
        own |= {label for label in labels if label not in patterns and label == clip.get('label')}
        if own:
            chosen.append(clip)
            found |= own
    absent = [label for label in labels if label not in found]
    if absent:
        known = sorted({str(clip.get('label')) for clip in clips}, key=lambda n: (len(n), n))
        if len(known) > 20:
            known[10:-10] = ['…']
        raise ValueError(
            f'labels: {len(absent)} of {len(labels)} have no clip in {source}, such as '
            f'{absent[0]!r}. Its classes are {", ".join(known)}, its clips have names like '
            f'{str(clips[0].get(key)) if clips else ""!r}.'
        )
    return chosen
