"""Looks through an annotation file: what it holds and what is wrong in it."""

from stars_mm.preparation.inspection.inspect_file import inspect_annotations
from stars_mm.preparation.inspection.report import Inspection, plain
from stars_mm.preparation.inspection.text import as_text

__all__ = ['Inspection', 'as_text', 'inspect_annotations', 'plain']
