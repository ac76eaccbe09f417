"""What a name of NTU RGB+D says: action, and the splits it belongs to.

A recording is named ``SsssCcccPpppRrrrAaaa``: set-up, camera, performer, take
and action, counted from 1. The splits are those of Shahroudy et al., CVPR 2016
(60 classes) and Liu et al., TPAMI 2020 (120 classes).
"""

import re
from pathlib import Path
from typing import NamedTuple

#: The performers of the training split xsub. NTU-60 has the first 20.
XSUB_TRAIN = frozenset(
    map(
        int,
        '1 2 4 5 8 9 13 14 15 16 17 18 19 25 27 28 31 34 35 38 45 46 47 49 50 52 53 54 55 56 57 58 '
        '59 70 74 78 80 81 82 83 84 85 86 89 91 92 93 94 95 97 98 100 103'.split(),
    )
)
#: The cameras of the training split xview of NTU-60.
XVIEW_TRAIN = (2, 3)
#: The last class of NTU-60; the later ones are novel to who trained on it.
LAST_OF_60 = 60


class NTU(NamedTuple):
    """The extent of a release of NTU RGB+D: actions (its name too), set-ups, performers, and the
    recordings that have a usable skeleton."""

    classes: int
    setups: int
    subjects: int
    clips: int


DATASETS = {60: NTU(60, 17, 40, 56578), 120: NTU(120, 32, 106, 113945)}


class NTUName(NamedTuple):
    """A recording's name, taken apart; numbers count from 1."""

    setup: int
    camera: int
    subject: int
    take: int
    action: int


def class_names(dataset: int) -> list[str]:
    """The names of the 60 or 120 actions, in the order of their labels."""
    names = Path(__file__).with_name('ntu_class_names.txt').read_text('utf-8')
    return [' '.join(name.split()) for name in names.split(';')][:dataset]


def missing_skeletons() -> frozenset[str]:
    """The recordings that the data set's authors list as having no skeleton.

    Those of set-ups 1 to 17 are the 302 of NTU-60; NTU-120 has all 535.
    """
    names = Path(__file__).with_name('ntu_missing_skeletons.txt').read_text('utf-8')
    return frozenset(names.split())


def parse_name(name: str) -> NTUName:
    """Takes a name such as S001C002P003R002A013 apart, or raises a ValueError."""
    match = re.fullmatch(r'S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})', name)
    if match is None:
        raise ValueError('is not named SsssCcccPpppRrrrAaaa.skeleton. Rename or remove it.')
    return NTUName(*map(int, match.groups()))


def check_name(name: NTUName, dataset: NTU) -> None:
    """Raises a ValueError where the data set cannot have such a recording."""
    for what, letter, value, most in (
        ('set-up', 'S', name.setup, dataset.setups),
        ('camera', 'C', name.camera, 3),
        ('subject', 'P', name.subject, dataset.subjects),
        ('action', 'A', name.action, dataset.classes),
    ):
        if not 1 <= value <= most:
            why = f"'{letter}{value:03}' is not in NTU-{dataset.classes}"
            has = f'which has {letter}001 to {letter}{most:03}'
            raise ValueError(f'{what} {why}, {has}. Rename or remove it.')


def splits_of(name: NTUName, dataset: NTU) -> list[str]:
    """Names one split of each protocol that a recording is part of."""
    xsub = 'train' if name.subject in XSUB_TRAIN else 'val'
    splits = [f'xsub_{xsub}']
    if dataset.classes == LAST_OF_60:
        return splits + ['xview_train' if name.camera in XVIEW_TRAIN else 'xview_val']
    splits.append('xset_val' if name.setup % 2 else 'xset_train')
    if name.action > LAST_OF_60:
        splits.append(f'novel_{xsub}')
    return splits
