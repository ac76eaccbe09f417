"""Readers by name and of one's own."""

import pytest

from stars_mm.preparation.readers import get_reader
from stars_mm.preparation.readers.lookup import call_reader, known_readers

READER = """
def read(src, count=2):
    for number in range(int(count)):
        yield dict(name=f'{src}{number}', label=number)

def other(src):
    return []

constant = 3
"""


def test_names():
    for name in known_readers():
        assert callable(get_reader(name))


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / 'my_reader.py'
    path.write_text(READER)
    for spec in (str(path), f'{path}:read'):
        found = list(call_reader(get_reader(spec), 'x', dict(count=3)))
        assert [clip['name'] for clip in found] == ['x0', 'x1', 'x2']
    assert get_reader(f'{path}:other')('x') == []
    with pytest.raises(ValueError, match=r"my_reader\.read.*'size'.*--reader"):
        call_reader(get_reader(str(path)), 'x', dict(size=3))
    with pytest.raises(ValueError, match=r'has no function constant\('):
        get_reader(f'{path}:constant')
    with pytest.raises(ValueError, match="reader 'kinect': choose one of"):
        get_reader('kinect')
    with pytest.raises(FileNotFoundError, match='there is no file none.py'):
        get_reader('none.py:read')
    path.write_text('import nothing_of_that_name')
    with pytest.raises(ValueError, match='ModuleNotFoundError.*nothing_of'):
        get_reader(str(path))
