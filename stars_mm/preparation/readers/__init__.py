"""Readers of recordings: one small file a data set.

A reader is a function ``read(src, **options)`` that yields a :class:`Recording` for each clip; that
of a known data set gives a :class:`RecordingSet`, which says layout and class names too.
``tools/data/convert.py --reader FILE.py`` takes one's own.
"""

from stars_mm.preparation.readers.lookup import get_reader
from stars_mm.preparation.recording import Clip, Recording, RecordingSet

__all__ = ['Clip', 'Recording', 'RecordingSet', 'get_reader']
