"""Looks through an annotation file: what it holds and what is wrong in it."""

from stars_mm.preparation.inspection.findings import Finding, plain
from stars_mm.preparation.inspection.inspect_file import inspect_annotations
from stars_mm.preparation.inspection.report import Group, Inspection
from stars_mm.preparation.inspection.text import as_text

__all__ = ['Finding', 'Group', 'Inspection', 'as_text', 'inspect_annotations', 'plain']
