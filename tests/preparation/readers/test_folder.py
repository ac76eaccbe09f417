"""Names, labels and subjects of a folder's clips."""

import zipfile

import numpy as np
import pytest

from stars_mm.preparation.layouts import get_layout
from stars_mm.preparation.readers.folder import path_pattern, read

STICK = get_layout(dict(name='stick', joints=['hip', 'hand'], parents=[None, 0], center=0))


def make(tmp_path, *names):
    for number, name in enumerate(names):
        path = tmp_path / 'lab' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full((3, 2, 3), number))
    return str(tmp_path / 'lab')


def described(recordings):
    return [(r.name, r.label, r.subject, r.camera, r.split) for r in recordings]


def test_the_folder_is_the_label(tmp_path):
    src = make(tmp_path, 'wave/b.npy', 'kick/deep/a.npy', 'wave/.hidden.npy')
    (tmp_path / 'lab/notes.txt').write_text('not a clip')
    with zipfile.ZipFile(tmp_path / 'lab.zip', 'w') as archive:
        for path in (tmp_path / 'lab').rglob('*.npy'):
            archive.write(path, path.relative_to(src))
    for place in (src, f'{src}.zip'):
        found = read(place, STICK)
        assert described(found) == [
            ('kick/deep/a', 'deep', None, None, None),
            ('wave/b', 'wave', None, None, None),
        ]
        first, second = (recording.load().keypoints for recording in found)
        assert (first == 1).all() and not second.any() and first.shape == (1, 3, 2, 3)


def test_pattern(tmp_path):
    src = make(tmp_path, 'S1/a03_c2_first_take.npy', 'S2/a10_c1_x.npy')
    found = read(src, STICK, pattern='S{subject}/a{label}_c{camera}_*')
    assert described(found) == [
        ('S1/a03_c2_first_take', '03', '1', '2', None),
        ('S2/a10_c1_x', '10', '2', '1', None),
    ]


@pytest.mark.parametrize(
    'template, path, fields',
    [
        ('{label}_{subject}_{take}', 'sit_s1_2', ('sit', 's1', '2')),
        ('{a}_{b}', 'x_y_z', ('x', 'y_z')),
        ('{a}.{b}', 'xay', None),
        ('*/{a}', 'd/x', ('x',)),
        ('*/{a}', 'd/e/x', None),
    ],
)
def test_path_pattern(template, path, fields):
    match = path_pattern(template).fullmatch(path)
    assert (match and match.groups()) == fields
    with pytest.raises(ValueError, match='--pattern'):
        path_pattern(template + '{label}{label}')


def index_file(tmp_path, text):
    path = tmp_path / 'index.csv'
    path.write_text(text)
    return str(path)


def test_index(tmp_path):
    src = make(tmp_path, 'x/a.npy', 'x/b.npy', 'y/b.npy', 'y/c.npy')
    rows = 'name,label,subject,split\ny/b,wave,s2,test\na.npy, kick ,,train\n'
    assert described(read(src, STICK, index=index_file(tmp_path, rows))) == [
        ('x/a', 'kick', None, None, 'train'),
        ('y/b', 'wave', 's2', None, 'test'),
    ]


@pytest.mark.parametrize(
    'text, message',
    [
        ('name,label\nb,wave\n', r"line 2: there is no file 'b' \(or several"),
        ('name,label\na,wave\nx/a,wave\n', "line 3: 'x/a' is the file of an ear"),
        ('name,label\na,wave\na,wave\n', "line 3: 'a' is in line 2 too"),
        ('name,label\na\n', 'line 2 has not 2 columns'),
        ('name,label\n,wave\n', 'line 2: name is empty'),
        ('file,label\na,b\n', 'line 1 must name the columns name and may name label'),
        ('name;label\na,wave\n', 'line 2 has not 2 columns'),
        ('name,label\n', 'names no clip'),
    ],
)
def test_bad_index(tmp_path, text, message):
    src = make(tmp_path, 'x/a.npy', 'x/b.npy', 'y/b.npy')
    with pytest.raises(ValueError, match=rf'index\.csv: {message}'):
        read(src, STICK, index=index_file(tmp_path, text))


def test_bad_folders(tmp_path):
    src = make(tmp_path, 'a.npy')
    for options, error, message in (
        ({}, ValueError, 'Give --layout, one of .*kard-15'),
        (dict(layout=STICK, pattern='{label}_{b}'), ValueError, "'a' does not match the pattern"),
        (dict(layout=STICK, channels='zyx'), ValueError, "channels='zyx': choose"),
        (dict(layout=STICK, index='none.csv'), FileNotFoundError, '--index none.csv'),
    ):
        with pytest.raises(error, match=message):
            read(src, **options)
    (tmp_path / 'lab/a.csv').write_text('1,2')
    with pytest.raises(ValueError, match=r'a\.npy: has the same name as .*a\.csv'):
        read(src, STICK, pattern='{label}')


def test_clips_without_labels(tmp_path):
    """A flat folder, a pattern without label, an index without the column or with empty cells."""
    src = make(tmp_path, 's1_a.npy', 's2_b.npy')
    flat = [('s1_a', None, None, None, None), ('s2_b', None, None, None, None)]
    assert described(read(src, STICK)) == flat
    assert described(read(src, STICK, pattern='{subject}_{take}'))[1][:3] == ('s2_b', None, 's2')
    index = index_file(tmp_path, 'name,subject\ns1_a,ada\n')
    assert described(read(src, STICK, index=index)) == [('s1_a', None, 'ada', None, None)]
    for comma in (';', '\t'):
        rows = 'name,label,subject\ns1_a,,"x,y"\ns2_b, sit ,z\n'.replace('"x,y"', 'Q')
        index = index_file(tmp_path, rows.replace(',', comma).replace('Q', 'x,y'))
        assert described(read(src, STICK, index=index)) == [
            ('s1_a', None, 'x,y', None, None),
            ('s2_b', 'sit', 'z', None, None),
        ]


def test_files_beside_folders(tmp_path):
    src = make(tmp_path, 'wave/a.npy', 'lost.npy')
    with pytest.raises(ValueError, match=r'lost\.npy: lies in no folder.*and others do'):
        read(src, STICK)
