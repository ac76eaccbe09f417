"""What a few bytes ask for is refused before the memory is taken."""

import io
import resource
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from stars_mm.preparation.source_files import find_files
from stars_mm.utils import limits
from stars_mm.utils.input_error import InputError, reading
from stars_mm.utils.limits import FREE, RATIO, check_asked
from stars_mm.utils.safe_arrays import load_npy, load_npz


def zipped(path, sizes, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', how) as archive:
        for number, size in enumerate(sizes):
            archive.writestr(f'{number}.json', bytes(size))
    return str(path)


def test_what_a_file_may_ask_for(monkeypatch):
    check_asked(FREE, 1, 'it')
    check_asked(RATIO * FREE, FREE, 'it')
    with pytest.raises(ValueError, match='it would take 3200 MiB .* 50 times the 64 MiB'):
        check_asked(RATIO * FREE + 1, FREE, 'it')
    monkeypatch.setattr(limits, '_available_memory', lambda: FREE)
    with pytest.raises(ValueError, match='more than is free'):
        check_asked(FREE + 1, FREE, 'it')


@pytest.mark.parametrize('how', [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_of_zeros(tmp_path, how, monkeypatch):
    monkeypatch.setattr(limits, 'FREE', 4 << 20)
    path = zipped(tmp_path / 'a.zip', [1 << 20] * 5, how)
    with pytest.raises(InputError, match='a.zip: its members would take 5 MiB'):
        find_files(path, '.json')
    (one, _) = find_files(zipped(tmp_path / 'b.zip', [1 << 20] * 2, how), '.json')
    assert one.read() == bytes(1 << 20)


def test_a_zip_that_says_less_than_it_unpacks_to(tmp_path):
    path = tmp_path / 'a.zip'
    zipped(path, [5 << 20])
    said, lie = ((n << 20).to_bytes(4, 'little') for n in (5, 1))
    path.write_bytes(path.read_bytes().replace(said, lie))
    with pytest.raises(InputError, match='a.zip: 0.json: .*CRC'):
        find_files(str(path), '.json')[0].read()


def npy(shape, dtype='<f4', content=b'', version=(1, 0)):
    stream = io.BytesIO()
    about = dict(descr=dtype, fortran_order=False, shape=shape)
    np.lib.format.write_array_header_1_0(stream, about)
    return stream.getvalue() + content


@pytest.mark.parametrize(
    'content',
    [
        npy((1 << 40,)),
        npy((1 << 40, 1 << 40)),
        npy((-1,)),
        npy((1 << 40, 0)),
        npy((1 << 30,), '|S0'),
        npy((2,), content=bytes(9)),
        npy((1,), '|O', bytes(8)),
        npy((1,), [('a', '<f4')], bytes(4)),
        npy((1,), '<U1', b'\xff' * 4),
        npy((1,), '<M8[s]', bytes(8)),
        npy((1,))[:20],
        b'',
        b'PK\x03\x04',
    ],
)
def test_arrays_that_are_not_as_large_as_they_say(tmp_path, content):
    with pytest.raises(InputError, match='^a.npy: '), reading('a.npy'):
        load_npy(content)
    path = tmp_path / 'a.npz'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('x.npy', content)
    with pytest.raises(InputError, match="a.npz: 'x'"), reading(path):
        load_npz(path)


def test_arrays_are_numpys(tmp_path):
    arrays = dict(
        a=np.arange(24.0).reshape(2, 3, 4),
        f=np.asfortranarray(np.arange(6, dtype='>i2').reshape(2, 3)),
        t=np.array(['a', 'bc']),
        e=np.zeros((0, 5)),
        s=np.array('text'),
        b=np.array([True, False]),
    )
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / 'a.npz', **arrays)
        found = load_npz(tmp_path / 'a.npz')
        assert list(found) == list(arrays)
        for key, array in arrays.items():
            np.testing.assert_array_equal(found[key], array)
            assert found[key].dtype == array.dtype


@pytest.mark.slow
def test_no_memory_is_taken(tmp_path):
    """A zip of 300 KB whose JSON would be 100 MB of text, and some gigabytes of lists."""
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a01_s01_e01_v01.json', b'[' + b'[],' * (35 << 20) + b'[]]')
    assert path.stat().st_size < 1 << 20
    code = (
        'import sys; from stars_mm.cli.main import main; '
        "main(['convert', sys.argv[1], sys.argv[2], '--reader', 'nw-ucla'])"
    )
    done = subprocess.run(
        [sys.executable, '-c', code, path, tmp_path / 'a.pkl'],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30)),
    )
    assert done.returncode == 1
    assert f'error: {path}: its members would take 105 MiB' in done.stderr
