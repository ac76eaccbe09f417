"""What a conversion has made, and how it is told."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

#: So many clips are named where some are left out.
_MAX_NAMES = 5


@dataclass
class ConversionReport:
    """What was made."""

    class_names: list[str] = field(default_factory=list)  # in the order of the labels
    splits: dict[str, list[str]] = field(default_factory=dict)  # the names of each one's clips
    clips: dict[str, tuple[int, int]] = field(default_factory=dict)  # name → label, frames
    dropped: dict[str, str] = field(default_factory=dict)  # name of a clip left out → why
    #: What was done → name of a clip → how often.
    notes: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    remarks: list[str] = field(default_factory=list)  # what of the source has no counterpart
    before: int = 0  # recordings taken from an interrupted conversion

    def left_out(self) -> list[str]:
        """A line for each reason why clips are left out, and for what was done to clips."""
        reasons = defaultdict(list)
        for name, why in self.dropped.items():
            reasons[why].append(name)
        lines = []
        for why, names in reasons.items():
            lines.append(f'left out, {len(names)} clips: {why} ({_some(names)})')
        for what, done in self.notes.items():
            lines.append(f'{what}: {sum(done.values())}, in {len(done)} clips ({_some(done)})')
        return lines

    def as_text(self) -> str:
        """Counts clips by class and split, frames, and what was left out."""
        counts = {
            split: Counter(self.clips[name][0] for name in names)
            for split, names in self.splits.items()
        }
        width = max(map(len, ('class', *self.class_names)))
        wide = max(12, *map(len, self.splits))
        rows: list[tuple[str, list]] = [('class', list(self.splits))]
        for label, name in enumerate(self.class_names):
            rows.append((name, [count[label] for count in counts.values()]))
        rows.append(('all', list(map(len, self.splits.values()))))
        lines = [f'{name:{width}}   ' + ' '.join(f'{n:>{wide}}' for n in row) for name, row in rows]
        frames = np.array([number for _, number in self.clips.values()])
        extent = f'{frames.min()} to {frames.max()} a clip, {frames.mean():.1f} on average'
        lines += [f'clips: {len(frames)}', f'frames: {extent}, {frames.sum()} in all']
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
