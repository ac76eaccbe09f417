"""What a conversion has made, and how it is told."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

#: So many clips are named where some are left out.
_MAX_NAMES = 5


@dataclass
class ConversionReport:
    """What was made.

    Args:
        class_names (list[str]): In the order of the labels.
        splits (dict): The names of each split's clips.
        clips (dict): Name of a clip → its label and frames.
        dropped (dict): Name of a clip left out → why.
        notes (dict): What was done → name of a clip → how often.
        remarks (list[str]): What of the source has no counterpart.
        before (int): Recordings taken from an interrupted conversion.
    """

    class_names: list[str] = field(default_factory=list)
    splits: dict[str, list[str]] = field(default_factory=dict)
    clips: dict[str, tuple[int, int]] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    remarks: list[str] = field(default_factory=list)
    before: int = 0

    def left_out(self) -> list[str]:
        """A line for each reason why clips are left out, and for what was done to clips."""
        names = defaultdict(list)
        for name, why in self.dropped.items():
            names[why].append(name)
        lines = [
            f'left out, {len(some)} clips: {why} ({_some(some)})' for why, some in names.items()
        ]
        lines += [
            f'{what}: {sum(done.values())}, in {len(done)} clips ({_some(done)})'
            for what, done in self.notes.items()
        ]
        return lines

    def as_text(self) -> str:
        """Counts clips by class and split, frames, and what was left out."""
        counts = {
            split: Counter(self.clips[name][0] for name in names)
            for split, names in self.splits.items()
        }
        width = max(map(len, ('class', *self.class_names)))
        wide = max(12, *map(len, self.splits))
        rows = [('class', self.splits)]
        rows += [
            (name, [count[label] for count in counts.values()])
            for label, name in enumerate(self.class_names)
        ]
        rows.append(('all', map(len, self.splits.values())))
        lines = [f'{name:{width}}   ' + ' '.join(f'{n:>{wide}}' for n in row) for name, row in rows]
        frames = np.array([number for _, number in self.clips.values()])
        lines.append(f'clips: {len(frames)}')
        lines.append(
            f'frames: {frames.min()} to {frames.max()} a clip, '
            f'{frames.mean():.1f} on average, {frames.sum()} in all'
        )
        lines += [f'dropped: {len(self.dropped)} clips', *self.left_out(), *self.remarks]
        for split, count in counts.items():
            absent = [name for label, name in enumerate(self.class_names) if not count[label]]
            if absent:
                lines.append(f'note: {split} has no clip of {_some(map(repr, absent))}')
        if self.before:
            lines.append(f'{self.before} recordings were converted by an earlier, interrupted run')
        return '\n'.join(lines)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _MAX_NAMES
    return ', '.join(names[:_MAX_NAMES]) + f' and {more} more' * (more > 0)
