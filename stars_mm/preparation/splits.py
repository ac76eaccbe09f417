"""Parts clips into training and test clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stars_mm.preparation.recording import Recording

Splits = dict[str, list[str]]


@dataclass(frozen=True)
class SplitRule:
    """Which clips train and which test.

    Args:
        train_subjects (sequence[str], optional): These train, the others test: splits
            ``xsub_train`` and ``xsub_val``.
        val_subjects (sequence[str], optional): The other way round.
        val_cameras (sequence[str], optional): These cameras test, the others train:
            ``xview_train`` and ``xview_val``.
        val_fraction (float, optional): So large a part of the subjects, drawn at random, tests:
            ``xsub_*``. 0.3 where nothing else is said and no clip names its split.
        over (str): 'subject', or 'clip' to draw among the clips of each class: ``clip_*``.
        seed (int): Seed of the draw.
    """

    train_subjects: Sequence[str] | None = None
    val_subjects: Sequence[str] | None = None
    val_cameras: Sequence[str] | None = None
    val_fraction: float | None = None
    over: str = 'subject'
    seed: int = 0

    def __post_init__(self) -> None:
        if self.over not in ('subject', 'clip'):
            raise ValueError(f"over={self.over!r}: choose 'subject' or 'clip'.")
        if self.val_fraction is not None and not 0 < self.val_fraction < 1:
            raise ValueError(f'val_fraction={self.val_fraction}: must lie between 0 and 1.')
        keys = ('train_subjects', 'val_subjects', 'val_fraction')
        given = [key for key in keys if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f'{given[0]} and {given[1]} both part the subjects. Give one of them.')

    def apply(self, clips: Sequence[Recording]) -> Splits:
        """Name of a split → names of its clips; a rule replaces what the clips themselves say of
        ``xsub_*``, ``xview_*`` or ``clip_*``, with the splits inside the training split. Where
        nothing is said of clips that have neither label nor subject, all are in one, ``train``.

        Raises:
            ValueError: If a clip lacks what the rule goes by, a name is that
                of no subject or camera, or a split is empty.
        """
        splits = _named(clips)
        subjects = self.train_subjects or self.val_subjects
        if subjects is not None:
            parts = _by(clips, 'subject', subjects, 'xsub', self.train_subjects is None)
            splits = _replace(splits, parts)
        if self.val_cameras is not None:
            splits = _replace(splits, _by(clips, 'camera', self.val_cameras, 'xview'))
        asked = splits or self.val_fraction is not None or self.over == 'clip'
        if not asked and all(clip.label is None and clip.subject is None for clip in clips):
            return dict(train=[clip.name for clip in clips])
        if self.val_fraction is not None or not splits:
            splits = _replace(splits, self._draw(clips, self.val_fraction or 0.3))
        for name, names in splits.items():
            if not names:
                way = 'Choose other subjects, cameras or fractions.'
                raise ValueError(f'split {name!r} would have no clip. {way}')
        return splits

    def _draw(self, clips: Sequence[Recording], fraction: float) -> Splits:
        rng = np.random.default_rng(self.seed)
        if self.over == 'clip':
            chosen = set()
            labels = {c.label for c in clips} - {None} or {None}  # of some, others train
            for label in sorted(labels, key=str):
                names = [c.name for c in clips if c.label == label]
                chosen |= set(_share(names, fraction, rng))
            return _part(clips, 'clip', [clip.name in chosen for clip in clips])
        subjects = sorted(set(_values(clips, 'subject')))
        if len(subjects) < 2:
            way = 'Part the clips at random (--split-over clip) or through an index.'
            raise ValueError(f'all clips are of subject {subjects[0]!r}, no other can test. {way}')
        return _by(clips, 'subject', _share(subjects, fraction, rng), 'xsub')


def _share(names: list[str], fraction: float, rng: np.random.Generator) -> list[str]:
    """At least one and not all; of a single one, none."""
    count = min(max(round(fraction * len(names)), 1), len(names) - 1)
    return [names[i] for i in rng.permutation(len(names))[:count]]


def _named(clips: Sequence[Recording]) -> Splits:
    """The splits that the clips name, in the order of their names."""
    names = sorted({split for clip in clips for split in clip.splits})
    bare = next((clip for clip in clips if not clip.splits), None)
    if names and bare is not None:
        raise ValueError(f'{bare.place}: {bare.name!r} names no split, and others do, {names}.')
    return {split: [clip.name for clip in clips if split in clip.splits] for split in names}


def _replace(splits: Splits, parts: Splits) -> Splits:
    """``splits`` with another parting of a protocol in place of all that was of it."""
    protocol = next(iter(parts)).removesuffix('train')
    return {key: names for key, names in splits.items() if not key.startswith(protocol)} | parts


def _values(clips: Sequence[Recording], key: str) -> list[str]:
    for clip in clips:
        if getattr(clip, key) is None:
            way = (
                f'Put {{{key}}} into --pattern, give an --index with it, or say --split-over clip.'
            )
            why = f'the {key} of {clip.name!r} is not known, and the split goes by it'
            raise ValueError(f'{clip.place}: {why}. {way}')
    return [str(getattr(clip, key)) for clip in clips]


def _by(
    clips: Sequence[Recording], key: str, names: Sequence[str], split: str, val: bool = True
) -> Splits:
    values = _values(clips, key)
    unknown = [name for name in names if name not in values]
    if unknown:
        known = ', '.join(sorted(set(values)))
        raise ValueError(f'no clip is of {key} {unknown[0]!r}. There are {known}.')
    return _part(clips, split, [(value in names) == val for value in values])


def _part(clips: Sequence[Recording], split: str, tests: Sequence[bool]) -> Splits:
    names = [clip.name for clip in clips]
    return {
        f'{split}_{part}': [name for name, test in zip(names, tests) if test == (part == 'val')]
        for part in ('train', 'val')
    }
