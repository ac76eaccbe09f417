"""Colors and figure defaults that all pictures of a report share."""

import contextlib
from collections.abc import Iterator

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe & Ito, "Color Universal Design" (2008): told apart with any of the common kinds of colour
# blindness. Their yellow is left out: too faint for thin lines and small points on white.
PALETTE = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#56B4E9', '#E69F00', '#000000')
MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X', '*', '<', '>')
GREY = '#9A9A9A'
LIGHT_GREY = '#D0D0D0'

_RC = {
    'font.size': 10,
    'text.parse_math': False,  # names from files hold no formulas
    'axes.titlesize': 11,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '#E6E6E6',
    'grid.linewidth': 0.8,
    'legend.frameon': False,
}


def class_style(index: int) -> tuple[str, str]:
    """Color as ``'#RRGGBB'`` and matplotlib marker of the class of a number.

    Marker and color change together from one class to the next, so that
    neighboring classes differ in both and ``7 x 10`` classes are distinct.
    """
    turn, place = divmod(index, len(PALETTE))
    return PALETTE[place], MARKERS[(place + turn) % len(MARKERS)]


@contextlib.contextmanager
def report_style() -> Iterator[None]:
    """Use the report's figure defaults inside a ``with`` block only."""
    with matplotlib.rc_context(_RC):
        yield


def new_figure(rows: int, columns: int, **kwargs) -> tuple[Figure, list]:
    """A figure drawn by Agg without pyplot's global state or a display, and its axes as ``rows``
    lists of ``columns`` axes. ``figsize`` is in inches, the other arguments are those of
    :meth:`matplotlib.figure.Figure.subplots`."""
    figure = Figure(figsize=kwargs.pop('figsize'), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **kwargs)
    return figure, axes.tolist()
