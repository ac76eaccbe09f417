"""What is found in an annotation file."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from stars_mm.preparation.inspection.clip_stats import ClipStats, Units
from stars_mm.utils.input_error import printable


def plain(name: Any, width: int = 30) -> str:
    """A name of a stranger's file, cut, without control characters."""
    text = printable(name)
    return text if len(text) <= width else text[: width - 1] + '…'


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a file, or looks so."""

    kind: str  # one word for scripts, the same for all of its kind
    message: str  # what it is, and what it means or what to do
    count: int  # how many clips, names or classes it is about
    cases: tuple[str, ...] = ()  # which ones; of missing classes the first alone


def finding(kind: str, message: str, cases: Iterable[str]) -> list[Finding]:
    """A finding about all of ``cases``, in a list; none where none is."""
    cases = tuple(cases)
    return [Finding(kind, message, len(cases), cases)] if cases else []


@dataclass
class Group:
    """Some clips of a file: a split, or all."""

    members: list[int]  # their positions in the file
    lengths: np.ndarray  # (n,) frames of each one that has no fault
    class_counts: dict[int, int]  # clips of each class that has some

    def as_dict(self) -> dict[str, Any]:
        """Numbers of clips, classes and frames."""
        report: dict[str, Any] = dict(clips=len(self.members), classes=len(self.class_counts))
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
    """What is found in an annotation file."""

    path: str
    names: list[Any]  # of each clip
    classes: list[list[int]]  # of each clip
    listed: dict[str, list]  # the names that each split lists
    whole: Group  # all clips
    splits: dict[str, Group]  # the splits that can be used
    pairs: list[tuple[str, str]]  # splits that exclude one another, as xsub_train and xsub_val
    num_classes: int  # of class_names, or by the largest label
    class_names: list[str] | None  # as the file has them
    shapes: dict[tuple[int, int], int]  # clips by (V, C), of those without a fault
    dtypes: dict[str, int]  # clips by type of number
    persons: dict[int, int]  # clips by number of persons
    units: Units  # the unit, as it seems
    stats: dict[int, ClipStats]  # of each clip without a fault, by position
    faults: list[Finding] = field(default_factory=list)  # what no training can use
    warnings: list[Finding] = field(default_factory=list)  # what trains, but looks wrong

    def class_name(self, label: int) -> str | None:
        """The name of a class, None where the file has none."""
        return dict(enumerate(self.class_names or ())).get(label)

    def labels(self) -> list[int]:
        """All classes that have a clip or a name."""
        return sorted({*self.whole.class_counts, *range(len(self.class_names or ()))})

    def class_table(self) -> list[tuple[int, str | None, list[int]]]:
        """Of each class: label, name, and its clips in the whole file and in each split."""
        groups = [self.whole, *self.splits.values()]
        return [
            (label, self.class_name(label), [group.class_counts.get(label, 0) for group in groups])
            for label in self.labels()
        ]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain Python types, for JSON."""
        size = self.units.body_size
        body_size = round(size, 4) if np.isfinite(size) else None
        names = list(map(str, self.splits))
        return dict(
            file=self.path,
            sound=not self.faults,
            whole=self.whole.as_dict(),
            splits={str(split): group.as_dict() for split, group in self.splits.items()},
            classes=[
                dict(label=label, name=name, clips=clips, splits=dict(zip(names, counts)))
                for label, name, (clips, *counts) in self.class_table()
            ],
            shapes=[dict(joints=V, coordinates=C, clips=n) for (V, C), n in self.shapes.items()],
            dtypes=self.dtypes,
            persons={str(k): n for k, n in self.persons.items()},
            units={**self.units._asdict(), 'body_size': body_size},
            compared=[list(pair) for pair in self.pairs],
            faults=[asdict(found) for found in self.faults],
            warnings=[asdict(found) for found in self.warnings],
        )
