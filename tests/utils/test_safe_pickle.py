"""The safe unpickler: reads data of every kind, and runs nothing."""

import collections
import io
import os
import pickle

import numpy as np
import pytest
import torch

from stars_mm.utils.input_error import InputError
from stars_mm.utils.safe_pickle import UnsafePickleError, load_pickle


def write(path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def assert_same(found, wanted) -> None:
    """In types and orders, too."""
    assert type(found) is type(wanted)
    if isinstance(wanted, dict):
        found, wanted = [*found.items()], [*wanted.items()]
    if isinstance(wanted, np.ndarray):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        found, wanted = found.tolist(), wanted.tolist()
    if isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted)
        for ours, theirs in zip(found, wanted):
            assert_same(ours, theirs)
    else:
        assert found == wanted


def sample() -> dict:
    rng = np.random.default_rng(0)
    array = rng.standard_normal((2, 3, 4))
    return dict(
        half=array.astype(np.float16),
        single=array.astype('f4'),
        big_endian=array.astype('>f8'),
        fortran=np.asfortranarray(array),
        transposed=array.transpose(2, 0, 1),
        strided=array[:, ::2],
        empty=np.zeros((0, 25, 3)),
        nought=np.array(3.5),
        flags=array > 0,
        text=np.array(['ab', 'c']),
        turned_objects=np.asfortranarray(np.array([[1, 'a'], [None, array]], object)),
        objects=np.array([np.arange(2), {'a': array}, None, 'x'], object),
        dtype=np.dtype('<i4'),
        scalars=[np.float32(1.5), np.int64(-3), np.bool_(True), np.str_('y')],
        plain=(1, 2**80, 1.5, None, True, 'é', b'\xff', {1, 2}, frozenset([3]), bytearray(b'a')),
        number=1j,
        ordered=collections.OrderedDict(a=array, b=[(array,)]),
    )


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_reads_what_pickle_reads(tmp_path, protocol):
    content = pickle.dumps(sample(), protocol)
    found = load_pickle(write(tmp_path / 'a.pkl', content))
    assert_same(found, pickle.loads(content))
    assert found['ordered']['b'][0][0] is found['ordered']['a']
    if protocol == 2:  # names modules as plain lines, so they can be exchanged
        for names in ((b'numpy._core', b'numpy.core'), (b'numpy.core', b'numpy._core')):
            renamed = content.replace(*names)
            assert names[1] in renamed  # as numpy 1 writes, and numpy 2
            assert_same(load_pickle(write(tmp_path / 'b.pkl', renamed)), found)


class Runs:
    """Runs a command when a trusting reader unpickles it."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f'touch {self.target}',)


def test_refuses_to_run_a_command(tmp_path):
    target = tmp_path / 'touched'
    content = pickle.dumps([np.zeros(2), {'split': Runs(target)}])
    path = write(tmp_path / 'evil.pkl', content)
    with pytest.raises(UnsafePickleError, match=r'evil\.pkl.*asks for \w+\.system.*nothing'):
        load_pickle(path)
    assert not target.exists()
    pickle.loads(content)
    assert target.exists(), 'the attack itself does not work'


def test_refuses_every_other_name(tmp_path):
    for names in (
        ('builtins', 'eval'),
        ('__builtin__', 'exec'),
        ('numpy.core.multiarray', 'array'),
        ('numpy', 'core.multiarray._reconstruct.__globals__'),
        ('copyreg', '__newobj__'),
    ):
        texts = b''.join(b'\x8c' + bytes([len(text)]) + text.encode() for text in names)
        with pytest.raises(UnsafePickleError, match='asks for'):
            load_pickle(write(tmp_path / 'a.pkl', b'\x80\x04' + texts + b'\x93.'))


def test_names_a_broken_file(tmp_path):
    for content in (b'', pickle.dumps(np.arange(1000))[:-200]):
        with pytest.raises(ValueError, match=r'a\.pkl: cannot be read .*cut off'):
            load_pickle(write(tmp_path / 'a.pkl', content))


class Call:
    """Pickles as the call ``function(*args)``, then ``.__setstate__``."""

    def __init__(self, function, args, state=None):
        self.made = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.made


def assert_refused(tmp_path, forged, **options):
    for number, attack in enumerate(forged):
        path = write(tmp_path / f'{number}.pkl', pickle.dumps(attack))
        with pytest.raises(ValueError, match=f'{number}.pkl'):
            load_pickle(path, **options)


def test_refuses_forged_objects(tmp_path):
    """Arrays of objects made from bytes would be arbitrary pointers."""
    reconstruct, raw = np.zeros(1).__reduce__()[0], b'\0' * 8
    start = reconstruct, (np.ndarray, (0,), b'b')
    fields = (3, '|', None, ('a',), {'a': (np.dtype('O'), 0)}, 8, 1, 0)
    forged = [
        Call(np.ndarray, ((1,), np.dtype('O'), raw)),
        Call(*start, (1, (1,), np.dtype('O'), False, raw)),
        Call(*start, (1, (1,), Call(np.dtype, ('V8',), fields), False, raw)),
        Call(np.zeros(1).__reduce_ex__(5)[0], (raw, np.dtype('O'), (1,), 'C')),
        Call(np.float32(1).__reduce__()[0], (np.dtype('O'), raw)),
        np.zeros(2, [('a', 'f4')]),
    ]
    assert_refused(tmp_path, forged)


def test_tensors_only_where_they_are_asked_for(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    wanted = dict(row=whole[1], turned=whole.t(), half=whole[:, ::2].half(), flags=whole > 4)
    path = write(tmp_path / 'a.pkl', pickle.dumps(wanted, 2))
    found = load_pickle(path, tensors=True)
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)
    assert found['row'].untyped_storage().nbytes() == 4 * 4
    with pytest.raises(UnsafePickleError, match='asks for torch'):
        load_pickle(path)


def test_refuses_forged_tensors(tmp_path):
    target = tmp_path / 'touched'
    rebuild, args = torch.zeros(2).__reduce_ex__(2)
    inner = io.BytesIO()
    torch.save(Runs(target), inner, _use_new_zipfile_serialization=False)
    storage_of = torch.storage._load_from_bytes
    forged = [
        Runs(target),
        Call(storage_of, (inner.getvalue(),)),
        Call(rebuild, (b'\0' * 8, *args[1:])),
        Call(rebuild, (args[0], 0, (3,), (1,), *args[4:])),
    ]
    assert_refused(tmp_path, forged, tensors=True)
    assert not target.exists()


RECONSTRUCT = np.zeros(1).__reduce__()[0]


def array_of(shape, dtype, raw, fortran=False):
    return Call(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, shape, dtype, fortran, raw))


@pytest.mark.parametrize('fortran', [False, True])
@pytest.mark.parametrize('shape', [(1000,), (2, 500), (-1,), (2**40, 2**40), (2**63 - 1, 0, 2)])
def test_refuses_arrays_that_promise_more_than_they_have(tmp_path, shape, fortran):
    """numpy itself reads objects beyond the end of a list that is too short."""
    for dtype, raw in ((np.dtype('O'), [1]), (np.dtype('f4'), b'1234'), (np.dtype('<U4'), b'')):
        assert_refused(tmp_path, [array_of(shape, dtype, raw, fortran)])


def test_refuses_shapes_that_would_take_long_to_write_into_a_message(tmp_path):
    doubled = ()
    for _ in range(60):
        doubled = doubled, doubled
    assert_refused(tmp_path, [array_of(doubled, np.dtype('f4'), b'')])


def test_refuses_what_is_set_or_added_to_again(tmp_path):
    array = np.zeros(1).__reduce__()
    twice = pickle.dumps(np.zeros(1), 2)[:-1] + pickle.dumps(array[2], 2)[2:-1] + b'b.'
    buffer = pickle.dumps(np.zeros(2), 5)[:-1] + b'K\x00]s.'
    for content in (twice, buffer.replace(buffer[2:11], b'')):  # which is a frame
        with pytest.raises(
            UnsafePickleError, match='sets the state of a ndarray|adds to a ndarray'
        ):
            load_pickle(write(tmp_path / 'a.pkl', content))


def test_refuses_text_of_no_characters(tmp_path):
    assert_refused(tmp_path, [array_of((1,), np.dtype('<U1'), b'\xff' * 4)])
    assert_refused(tmp_path, [Call(np.float32(1).__reduce__()[0], (np.dtype('<U1'), b'\xff' * 4))])


def nested(depth, step=lambda inner: (inner,)):
    value = ()
    for _ in range(depth):
        value = step(value)
    return value


def put(index):
    return b'\x80\x02Nr' + index.to_bytes(4, 'little') + b'.'


def keyed_by(depth, opcode):
    """A dict whose key is a tuple in a tuple in a …, or the same with each of them twice."""
    return b'\x80\x02}(' + b')' + opcode * depth + b'Nu.'


@pytest.mark.parametrize(
    'content, problem',
    [
        (b'\x80\x02cbuiltins\nbytearray\nJ\x00^\xd0\xb2\x85R.', 'asks for|bytes of a int'),
        (b'\x80\x02cbuiltins\nbytes\n\x8a\x04\x00^\xd0\x32\x85R.', 'bytes of a int'),
        (b'\x80\x05\x96' + (3 << 30).to_bytes(8, 'little') + b'.', 'should follow'),
        (b'\x80\x04\x8e' + (3 << 30).to_bytes(8, 'little') + b'.', 'should follow'),
        (
            b'\x80\x02cbuiltins\nset\n' + pickle.dumps(np.arange(3), 2)[2:-1] + b'\x85R.',
            'calls builtins.set with an array',
        ),
        (keyed_by(100_000, b'\x85'), 'key'),  # hashing it overflows the stack
        (keyed_by(60, b'2\x86'), 'key'),  # hashing it takes for ever
        (b'\x80\x02' + b']' * 3000 + b'a' * 2999 + b'.', 'more than 64 levels'),
        (b'\x80\x02]q\x00h\x00a.', 'holds itself'),
        (b'\x80\x02]' + b'(2' * 0 + b'2\x86' * 60 + b'.', 'again and again'),
        (b'\x80\x02ccollections\nOrderedDict\n}(X\x01\x00\x00\x00aNub.', 'sets the state'),
        (b'\x80\x02ccollections\nOrderedDict\n)\x81.', 'makes an object'),
        (b'\x80\x02c_codecs\nencode\n' + b'Pa\n.', 'makes an object'),
    ],
)
def test_a_few_bytes_take_neither_memory_nor_time(tmp_path, content, problem):
    with pytest.raises(InputError, match=f'a.pkl: .*({problem})'):
        load_pickle(write(tmp_path / 'a.pkl', content))


def test_a_memo_takes_no_memory_for_its_numbers(tmp_path):
    """The interpreter in C makes a list of 64 GB for this."""
    assert load_pickle(write(tmp_path / 'a.pkl', put(2**32 - 2))) is None


def test_data_that_is_referred_to_again_and_again(tmp_path):
    shared = np.zeros(1 << 20)
    assert len(load_pickle(write(tmp_path / 'a.pkl', pickle.dumps([shared] * 40)))) == 40
    copies = b'\x80\x04\x8c\x08builtins\x8c\x09bytearray\x93\x94'
    copies += b'B' + (1 << 20).to_bytes(4, 'little') + bytes(1 << 20) + b'\x94]('
    copies += b'h\x00h\x01\x85R' * 70 + b'e.'
    for content in (pickle.dumps([shared] * 60), copies):
        with pytest.raises(InputError, match='again and again|many times its own size'):
            load_pickle(write(tmp_path / 'a.pkl', content))
