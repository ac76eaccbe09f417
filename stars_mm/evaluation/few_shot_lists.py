"""Lists of few-shot examples, by the names of the clips."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stars_mm.evaluation.functional.few_shot import Draw
from stars_mm.utils.atomic import write_text
from stars_mm.utils.input_error import InputError
from stars_mm.utils.json_file import read_json

_WHAT = 'draws[d][class] names the clips of draw d, and n shots are the first n of them.'


def write_draws(
    path: str | Path, draws: Sequence[Draw], names: Sequence[str], **settings: Any
) -> None:
    """Write a list of examples as JSON, whole or not at all: of each draw (class → places), the
    names of the bank's clips at these places; and the settings that it was made with, such as
    ``seed``."""
    listed = [
        {str(label): [names[place] for place in places] for label, places in draw.items()}
        for draw in draws
    ]
    write_text(path, json.dumps(dict(what=_WHAT, **settings, draws=listed), indent=1) + '\n')


def read_draws(path: str | Path) -> list[dict[int, list[str]]]:
    """Read a list of examples, of :func:`write_draws` or one's own with a list ``draws`` of the
    same form: for each draw class → names. A FileNotFoundError where there is none, an InputError
    where the file holds something else."""
    try:
        draws = read_json(path).get('draws')
    except FileNotFoundError:
        raise FileNotFoundError(
            f'exemplars={str(path)!r}: there is no such file. A run of FewShotMetric leaves one.'
        ) from None
    if not isinstance(draws, list) or not draws:
        raise InputError(path, 'has no list "draws"', _WHAT)
    for number, draw in enumerate(draws):
        where = f'draw {number}'
        if not isinstance(draw, dict) or len(draw) < 2:
            raise InputError(path, f'{where} has no two classes', _WHAT)
        for label, names in draw.items():
            if not re.fullmatch('[0-9]{1,9}', label):
                raise InputError(path, f'{label!r:.40} is not the number of a class', _WHAT, where)
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                problem = f'{names!r:.80} is no list of names'
                raise InputError(path, problem, _WHAT, f'{where}, class {label}')
    return [{int(label): names for label, names in draw.items()} for draw in draws]


def find_draws(
    draws: Sequence[dict[int, list[str]]],
    names: Sequence[str],
    labels: Sequence[int],
    shots: int,
    path: str,
    source: str,
) -> list[Draw]:
    """The places of the clips that the draws of the file ``path`` name, in a bank (``source``) with
    these names and labels: class → places, ``shots`` of each. A ValueError where a clip is not
    there, of another class or listed twice, or a class has too few."""
    places = {name: place for place, name in enumerate(names)}

    def find(label: int, chosen: list[str], where: str) -> list[int]:
        if len(chosen) < shots:
            raise ValueError(
                f'{where}: lists {len(chosen)} clips, and {shots} shots are asked for.'
            )
        for name in chosen[:shots]:
            if name not in places:
                raise ValueError(
                    f'{where}: {source} has no clip {name!r}; the list is of other data.'
                )
            own = int(labels[places[name]])
            if own != label:
                raise ValueError(f'{where}: clip {name!r} is of class {own} in {source}.')
        if len(set(chosen[:shots])) < shots:
            raise ValueError(f'{where}: lists a clip twice.')
        return [places[name] for name in chosen[:shots]]

    return [
        {
            label: find(label, draw[label], f'{path}: draw {number}, class {label}')
            for label in sorted(draw)
        }
        for number, draw in enumerate(draws)
    ]
