"""What a conversion has made, and how it is told."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from stars_mm.preparation.inspection import Inspection
from stars_mm.preparation.inspection.report import Finding, finding
from stars_mm.preparation.inspection.text import finding_lines
from stars_mm.preparation.recording import FRAMES_LACKING
from stars_mm.utils.input_error import printable, shown

#: So many clips are named where some are left out.
_MAX_NAMES = 5
#: So many subjects of a split are listed.
_MAX_SUBJECTS = 20


@dataclass
class ConversionReport:
    """What was made."""

    class_names: list[str] = field(default_factory=list)  # in the order of the labels
    splits: dict[str, list[str]] = field(default_factory=dict)  # the names of each one's clips
    #: Name → label, None of an unlabelled one, and frames.
    clips: dict[str, tuple[int | None, int]] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)  # name → who is seen, where it is known
    inspection: Inspection | None = None  # of the file
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
            if what == FRAMES_LACKING:
                continue
            lines.append(f'{what}: {sum(done.values())}, in {len(done)} clips ({_some(done)})')
        return lines

    def who_tests(self) -> list[str]:
        """A line for each split: its subjects, and the clips of each."""
        lines = []
        for split, names in self.splits.items():
            counts = Counter(self.subjects[name] for name in names if name in self.subjects)
            if counts:
                each = [
                    f'{printable(subject)} ({count})' for subject, count in sorted(counts.items())
                ]
                shown = _some(each, _MAX_SUBJECTS)
                lines.append(f'{split}: {len(names)} clips of {len(counts)} subjects: {shown}')
        return lines

    def warnings(self) -> list[Finding]:
        """What may not mean what it seems to: of the recordings, and what inspecting tells."""
        found = []
        if len(set(self.subjects.values())) == len(self.clips) > 2:
            message = 'every clip is its own subject: who tests may train, too. Is {subject} in '
            message += '--pattern, or the column of --index, the right one'
            cases = (f'{shown(name)}: {shown(who)}' for name, who in self.subjects.items())
            found += finding('own_subject', message, cases)
        lacking = self.notes.get(FRAMES_LACKING, {}).items()
        message = f'{FRAMES_LACKING}: a body leaps there, or is away. Fill them in, or cut the clip'
        found += finding('frames_lacking', message, (f'{shown(n)}: {k}' for n, k in lacking))
        return found + (self.inspection.warnings if self.inspection else [])

    def remarked(self) -> list[str]:
        """What else there is to know: what was left out, and what the splits lack."""
        lines = [*self.left_out(), *self.remarks]
        for split, names in self.splits.items():
            present = {self.clips[name][0] for name in names}
            absent = [name for n, name in enumerate(self.class_names) if n not in present]
            if absent:
                lines.append(f'{split} has no clip of {_some(map(repr, absent))}')
        if self.class_names and not self.subjects:
            lines.append('who is seen is not known: who tests may train, too')
        if self.before:
            lines.append(f'{self.before} recordings were converted by an earlier, interrupted run')
        return lines

    def as_text(self) -> str:
        """Counts clips by class and split, frames, and what was left out; who tests; and what is to
        be looked at, the gravest first."""
        counts = {
            split: Counter(self.clips[name][0] for name in names)
            for split, names in self.splits.items()
        }
        width = max(map(len, ('no label', *self.class_names)))
        wide = max(12, *map(len, self.splits))
        rows: list[tuple[str, list]] = [('class', list(self.splits))]
        for label, name in enumerate(self.class_names):
            rows.append((printable(name), [count[label] for count in counts.values()]))
        if any(label is None for label, _ in self.clips.values()):
            rows.append(('no label', [count[None] for count in counts.values()]))
        rows.append(('all', list(map(len, self.splits.values()))))
        lines = [f'{name:{width}}   ' + ' '.join(f'{n:>{wide}}' for n in row) for name, row in rows]
        frames = np.array([number for _, number in self.clips.values()])
        extent = f'{frames.min()} to {frames.max()} a clip, {frames.mean():.1f} on average'
        lines += [f'clips: {len(frames)}', f'frames: {extent}, {frames.sum()} in all']
        lines += [f'dropped: {len(self.dropped)} clips', *self.who_tests()]
        lines += finding_lines('error', self.inspection.faults if self.inspection else [])
        lines += finding_lines('warning', self.warnings())
        lines += [f'note: {line}' for line in self.remarked()]
        return '\n'.join(lines)


def _some(names: Iterable[str], most: int = _MAX_NAMES) -> str:
    names = list(names)
    more = len(names) - most
    return ', '.join(names[:most]) + f' and {more} more' * (more > 0)
