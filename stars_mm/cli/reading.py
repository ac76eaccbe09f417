"""Options of how recordings are read, which several commands share."""

import argparse

from stars_mm.preparation.layouts import known_layouts
from stars_mm.preparation.layouts.layout import UNITS
from stars_mm.preparation.readers.lookup import known_readers
from stars_mm.preparation.readers.tables import CHANNELS

#: Those of :class:`stars_mm.apis.inputs.ReadOptions`.
OPTIONS = ('layout', 'reader', 'split', 'unit', 'up', 'channels')


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`reading` collects."""
    add = parser.add_argument_group('how recordings are read').add_argument
    add('--layout', help=f'the joints: {", ".join(known_layouts())}, or a .json or .yml file')
    add('--split', help='of an annotation file')
    add('--reader', help=f'of a data set as it is distributed: {", ".join(known_readers())}')
    add('--unit', choices=UNITS, help='of the coordinates')
    add('--up', choices=('y', 'z'), help='the axis upwards (default: y)')
    add('--channels', choices=CHANNELS, help='the numbers of a joint, c being its confidence')


def reading(args: argparse.Namespace) -> dict:
    """The options that were given."""
    return {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
