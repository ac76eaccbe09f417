import errno
import pickle

import pytest

from stars_mm.utils.input_error import InputError, reading


def test_message_names_file_part_and_remedy():
    error = InputError('a.pkl', 'has no joints', 'Convert it again.', clip='clip "S001"')
    assert str(error) == 'a.pkl: clip "S001": has no joints. Convert it again.'
    assert (error.path, error.clip) == ('a.pkl', 'clip "S001"')


def test_passes_between_processes():
    error = pickle.loads(pickle.dumps(InputError('a.pkl', 'has no joints', 'Stop.', clip='c')))
    assert (str(error), error.clip) == ('a.pkl: c: has no joints. Stop.', 'c')


@pytest.mark.parametrize('broken', [KeyError('x'), EOFError(), MemoryError(), OSError('bad gzip')])
def test_whatever_broken_content_raises_names_the_file(broken):
    with pytest.raises(InputError, match=f'^a.npz: cannot be read .{type(broken).__name__}'):
        with reading('a.npz'):
            raise broken


def test_errors_of_the_system_and_of_the_project_stay_as_they_are():
    with pytest.raises(FileNotFoundError), reading('a.npz'):
        open('/nowhere/b.npz')
    with pytest.raises(InputError, match='^b.npz: is empty'), reading('a.npz'):
        raise InputError('b.npz', 'is empty')


def test_a_disk_that_fails_is_an_error_of_the_system_and_names_the_file():
    with pytest.raises(OSError, match='a.npz') as raised, reading('a.npz'):
        raise OSError(errno.EIO, 'Input/output error')
    assert raised.value.errno == errno.EIO
    with pytest.raises(InputError, match='^a.npz: '), reading('a.npz'):  # a zip's wrong offset
        raise OSError(errno.EINVAL, 'Invalid argument')


def test_an_interrupt_is_no_broken_content():
    with pytest.raises(KeyboardInterrupt), reading('a.npz'):
        raise KeyboardInterrupt
