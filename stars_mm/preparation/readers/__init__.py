"""Readers of recordings: the way in for data that no converter knows.

A reader is a function ``read(src, **options)`` that yields a
:class:`Recording` for each clip. ``tools/data/convert.py --reader FILE.py``
takes one's own; three of published data sets are here as examples.
"""

from stars_mm.preparation.readers.lookup import get_reader
from stars_mm.preparation.recording import Recording

__all__ = ['Recording', 'get_reader']
