"""The file appears complete, or what was there before stays."""

import errno
import os

import pytest

from stars_mm.utils.atomic import written_whole


def test_new_file_in_a_new_folder(tmp_path):
    path = tmp_path / 'new/results.json'
    with written_whole(str(path)) as partial:
        partial.write_text('[1]')
        assert partial.parent == path.parent  # the same disk
        assert not path.exists()
    assert path.read_text() == '[1]'
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('error', [OSError(28, 'No space left on device'), KeyboardInterrupt()])
def test_what_was_there_stays_after_an_error(tmp_path, error):
    path = tmp_path / 'results.json'
    path.write_text('[1]')
    with pytest.raises(type(error)):
        with written_whole(path) as partial:
            partial.write_text('[2')
            raise error
    assert path.read_text() == '[1]'
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_another_and_of_a_file(tmp_path):
    path = tmp_path / 'store'
    path.write_text('a file')
    for number in (1, 2):
        with written_whole(path) as partial:
            partial.mkdir()
            (partial / f'{number}.npy').write_text(str(number))
        assert [file.name for file in path.iterdir()] == [f'{number}.npy']
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_take_the_place_leaves_the_former_there(tmp_path, monkeypatch):
    path = tmp_path / 'store'
    path.mkdir()
    (path / '1.npy').write_text('1')
    rename = os.replace

    def fail(source, target):
        if target == path and '.former.' not in str(source):
            raise OSError(errno.ENOSPC, 'No space left on device', str(target))
        rename(source, target)

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='store'), written_whole(path) as partial:
        partial.mkdir()
    assert [*tmp_path.rglob('*')] == [path, path / '1.npy']


def test_what_numpy_says_of_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r'not all could be written.*x\.npy'):
        with written_whole(tmp_path / 'x.npy'):
            raise OSError('4 requested and 0 written')
