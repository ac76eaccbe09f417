"""The fuzzer itself: sound files pass, inputs can be made again, and no bad end goes unnoticed."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from stars_mm.utils.input_error import InputError
from tests.fuzz import run
from tests.fuzz.doors import DOORS, Door
from tests.fuzz.mutate import write_files


@pytest.mark.parametrize('name', DOORS)
def test_every_door_lets_sound_files_in(name, tmp_path):
    door = DOORS[name]
    write_files(door.seal(door.files()), tmp_path)
    door.open(tmp_path)


def test_an_input_is_made_again_by_its_seeds():
    for name in ('recognizer', 'convert nw-ucla, zip', 'layout .yml'):
        inputs = [run.make_input(name, seeds) for seeds in ((), (3,), (3, 4), (3, 4), (3,))]
        assert inputs[1] == inputs[4] and inputs[2] == inputs[3]
        assert inputs[0] != inputs[1] != inputs[2]


def _refuse_well(folder: Path) -> None:
    raise InputError(folder / 'a.txt', 'is broken')


def _refuse_namelessly(folder: Path) -> None:
    raise InputError('some file', 'is broken')


def _let_in_unsound(folder: Path) -> None:
    assert np.isfinite(np.nan)


def _ask_for_memory(folder: Path) -> None:
    try:
        bytearray(3 << 30)
    except MemoryError as error:
        raise InputError(folder / 'a.txt', 'is broken') from error


def _take_memory(folder: Path) -> None:
    bytearray(b'x') * (700 << 20)


def _end_never(folder: Path) -> None:
    while True:
        pass


ENDS = {
    'let in': lambda folder: None,
    'refused': _refuse_well,
    'no name': _refuse_namelessly,
    'unsound': _let_in_unsound,
    'other error': lambda folder: {}['key'],
    'crash': lambda folder: ctypes.string_at(0),
    'time': _end_never,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    'kind, open_', [*ENDS.items(), ('memory', _ask_for_memory), ('memory', _take_memory)]
)
def test_every_end_is_told(kind, open_, monkeypatch):
    monkeypatch.setitem(DOORS, 'a door', Door(lambda: {'a.txt': b'1 2 3'}, open_))
    monkeypatch.setattr(run, 'SECONDS', 1)
    counts, bad = run.fuzz_door('a door', inputs=2, seconds=60)
    # the most memory that a process ever took grows once
    assert counts[kind] == (1 if open_ is _take_memory else 2)
    assert bool(bad) == (kind not in run.WELL)
