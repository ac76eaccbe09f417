"""One finder for folders, zips and folders of zips."""

import zipfile

import pytest

from stars_mm.preparation.source_files import by_stem, find_files


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
