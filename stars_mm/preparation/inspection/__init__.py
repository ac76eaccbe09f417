"""Looks through an annotation file: what it holds and what is wrong in it."""

from stars_mm.preparation.inspection.clip_stats import ClipStats, measure_clip
from stars_mm.preparation.inspection.findings import Finding, plain
from stars_mm.preparation.inspection.inspect_file import Group, Inspection, inspect_annotations
from stars_mm.preparation.inspection.text import as_text
from stars_mm.preparation.inspection.units import Units, guess_units

__all__ = [
    'ClipStats',
    'Finding',
    'Group',
    'Inspection',
    'Units',
    'as_text',
    'guess_units',
    'inspect_annotations',
    'measure_clip',
    'plain',
]
