"""One finder for folders, zips and folders of zips."""

import os
import zipfile

import pytest

from stars_mm.preparation import source_files
from stars_mm.preparation.source_files import by_stem, find_files
from stars_mm.utils.input_error import InputError


def make_zip(path, names):
    with zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            archive.writestr(name, f'content of {name}')
    return path


NAMES = ('b/one.TXT', 'two.txt', '__MACOSX/._two.txt', 'other.csv')


@pytest.mark.parametrize('kind', ['folder', 'zip', 'folder of zips'])
def test_files_are_found(tmp_path, kind):
    src = tmp_path / 'src'
    src.mkdir()
    make_zip(src / 'a.zip', NAMES)
    if kind == 'zip':
        src = src / 'a.zip'
    elif kind == 'folder':
        zipfile.ZipFile(src / 'a.zip').extractall(src)
    found = find_files(str(src), '.txt')
    assert [file.path for file in found] == ['b/one.TXT', 'two.txt']
    places = [(file.stem, file.name, file.parent) for file in found]
    assert places == [('one', 'b/one', 'b'), ('two', 'two', '')]
    assert [file.read() for file in found] == [b'content of b/one.TXT', b'content of two.txt']
    assert str(src) in found[0].where and 'b/one.TXT' in found[0].where
    assert len(find_files(str(src), ('.txt', '.csv'))) == 3


def test_the_stamp_changes_with_the_file(tmp_path):
    for kind in ('folder', 'zip'):
        stamps = set()
        for content in ('a', 'b', 'bb'):
            (tmp_path / 'a.txt').write_text(content)
            with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
                archive.writestr('a.txt', content)
            (file,) = find_files(tmp_path / 'a.zip' if kind == 'zip' else tmp_path, '.txt')
            stamps.add(file.stamp)
            assert file.read() == content.encode()
        assert len(stamps) == 3


def test_what_cannot_be_found(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere: there is no such'):
        find_files(str(tmp_path / 'nowhere'), '.txt')
    whole = make_zip(tmp_path / 'a.zip', NAMES).read_bytes()
    with pytest.raises(ValueError, match=r'holds no \.json\. Give the folder or zip with x\.json'):
        find_files(str(tmp_path / 'a.zip'), '.json', 'x.json')
    (tmp_path / 'cut.zip').write_bytes(whole[:-100])
    with pytest.raises(
        ValueError, match=r'cut\.zip: cannot be read .*Give a folder or a whole zip'
    ):
        find_files(str(tmp_path / 'cut.zip'), '.txt')
    (tmp_path / 'bad.zip').write_bytes(whole.replace(b'content of t', b'Content of t'))
    bad = find_files(str(tmp_path / 'bad.zip'), '.txt')[1]
    with pytest.raises(ValueError, match='Bad CRC-32'):
        bad.read()
    twice = find_files(make_zip(tmp_path / 'twice.zip', ['x/a.txt', 'y/a.txt']), '.txt')
    with pytest.raises(ValueError, match=r"y/a\.txt: this and '.*x/a\.txt' have one name"):
        by_stem(twice)


def test_what_is_no_file_is_not_read(tmp_path):
    """A pipe without a writer never ends; /dev/zero takes all memory there is."""
    os.mkfifo(tmp_path / 'a.txt')
    (tmp_path / 'b.txt').symlink_to('/dev/zero')
    (tmp_path / 'c.txt').symlink_to('/nowhere')
    for file in find_files(str(tmp_path), '.txt'):
        with pytest.raises((InputError, FileNotFoundError), match=file.path):
            file.read()


def test_links_to_folders_are_told_of(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(source_files, 'print_log', lambda text, *_: told.append(text))
    for name in ('src/sit', 'elsewhere'):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / 'a.txt').touch()
    (tmp_path / 'src/wave').symlink_to('../elsewhere')
    assert [file.path for file in find_files(str(tmp_path / 'src'), '.txt')] == ['sit/a.txt']
    assert told == [f'{tmp_path}/src/wave: is a link to a folder, what is in there is not taken']


def test_zips_of_backslashes_are_refused(tmp_path):
    """Their folders, the classes, would be a part of the names."""
    src = make_zip(tmp_path / 'a.zip', ['wave\\a.txt'])
    with pytest.raises(InputError, match=r'a\.zip: holds .wave.*backslashes'):
        find_files(src, '.txt')


@pytest.mark.parametrize('name', [b'\x1b[31m.txt', b'a\nb/a.txt', b'w\xe4ve/a.txt'])
def test_names_that_cannot_be_shown(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, 'wb').close()
    with pytest.raises(InputError, match=r'\\(x1b|n|udce4).* Rename it') as told:
        find_files(str(tmp_path), '.txt')
    assert str(told.value).isprintable()
