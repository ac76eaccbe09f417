"""Looks through an annotation file: what it holds and what is wrong in it."""
from .clip_stats import ClipStats, measure_clip
from .findings import Finding, plain
from .inspect_file import Group, Inspection, inspect_annotations
from .text import as_text
from .units import Units, guess_units

__all__ = [
    'ClipStats', 'Finding', 'Group', 'Inspection', 'Units', 'as_text',
    'guess_units', 'inspect_annotations', 'measure_clip', 'plain'
]
