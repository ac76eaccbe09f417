"""Checkpoints that attack their reader; those at every way in: test_strangers_checkpoints.py."""

import argparse
import collections
import io
import pickle
import resource
import struct
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from stars_mm.utils import checkpoint_pickle
from stars_mm.utils.input_error import InputError
from stars_mm.utils.weights_file import read_checkpoint_file, read_weights


def name(path: str) -> bytes:
    module, _, attribute = path.rpartition('.')
    return f'c{module}\n{attribute}\n'.encode()


def text(value: str) -> bytes:
    return b'X' + struct.pack('<I', len(value)) + value.encode()


def number(value: int) -> bytes:
    return b'\x8a\x09' + value.to_bytes(9, 'little', signed=True)


def numbers(*values: int) -> bytes:
    return b'(' + b''.join(map(number, values)) + b't'


def call(function: str, *args: bytes) -> bytes:
    return name(function) + b'(' + b''.join(args) + b'tR'


def storage(count=4, kind='torch.FloatStorage') -> bytes:
    parts = text('storage'), name(kind), text('0'), text('cpu'), number(count)
    return b'(' + b''.join(parts) + b'tQ'


def tensor(count=4, offset=0, size=(4,), stride=(1,), kind='torch.FloatStorage') -> bytes:
    hooks = name('collections.OrderedDict') + b')R'
    parts = storage(count, kind), number(offset), numbers(*size), numbers(*stride), b'\x89', hooks
    return call('torch._utils._rebuild_tensor_v2', *parts)


def weights(value: bytes) -> bytes:
    return b'\x80\x02}' + text('state_dict') + b'}' + text('a') + value + b'ss.'


def zipped(content: bytes, values=bytes(16), packing=zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', packing) as archive:
        archive.writestr('a/data.pkl', content)
        archive.writestr('a/version', '3\n')
        archive.writestr('a/data/0', values)
    return file.getvalue()


def header(content: bytes) -> bytes:
    return struct.pack('<Q', len(content)) + content


MAX_STEPS = 20_000  # here
DOUBLED = number(1) + b'\x85' + b'q\x00h\x00\x86' * 60  # 2⁶⁰ numbers for one who goes through it
OLD = b''.join(
    pickle.dumps(value, 2)
    for value in (0x1950A86A20F9469CFC6C, 1001, dict(little_endian=True, protocol_version=1001))
)
HOSTILE = {
    'a_call': (weights(call('os.system', text('exit'))), r'objects of .* os\.system'),
    'bytearray': (weights(call('builtins.bytearray', number(3 << 30))), r'builtins\.bytearray'),
    'a_large_tensor': (weights(call('torch.FloatTensor', number(1 << 40))), r'torch\.FloatTensor'),
    'pointers': (
        weights(call('numpy.ndarray', numbers(1), text('O'), text('8 bytes.'))),
        'calls numpy.ndarray',
    ),
    'objects': (weights(call('numpy.dtype', text('O'))), "numpy dtype 'O'"),
    'an_attribute': (
        weights(call('builtins.getattr', name('numpy.ndarray'), text('tofile'))),
        "asks for 'tofile'",
    ),
    'of_a_class': (b'\x80\x02' + name('argparse.Namespace') + b'N}\x86b.', 'state of a Name'),
    'offset': (weights(tensor(offset=1)), 'offset 1, of a storage with 4 values'),
    'negative': (weights(tensor(offset=-1)), 'tensor of size'),
    'backward': (weights(tensor(stride=(-1,))), 'tensor of size'),
    'size': (weights(tensor(size=(1 << 40,))), 'storage with 4 values'),
    'stride': (weights(tensor(stride=(1 << 40,))), 'storage with 4 values'),
    'repeated': (weights(tensor(size=(1 << 40,), stride=(0,))), 'storage with 4 values'),
    'overflow': (weights(tensor(size=(1 << 62, 4), stride=(0, 1))), 'storage with 4 values'),
    'nothing_of_much': (weights(tensor(size=(0, 1 << 62), stride=(1, 1))), 'storage with 4'),
    'a_long_message': (
        weights(call('torch._utils._rebuild_tensor_v2', storage(), number(0), DOUBLED, b')\x89N')),
        'tensor of size',
    ),
    'a_long_message_of_a_storage': (b'\x80\x02' + DOUBLED + b'Q.', 'holds a storage'),
    'a_size_of_values': (weights(call('torch.Size', tensor())), 'size Tensor'),
    'no_storage': (
        weights(
            call('torch._utils._rebuild_tensor_v2', name('argparse.Namespace') + b')R)))\x89N')
        ),
        'storage Namespace',
    ),
    'no_dtype': (
        weights(call('numpy.core.multiarray.scalar', name('argparse.Namespace') + b')R', text(''))),
        'dtype Namespace',
    ),
    'storage': (weights(tensor(count=1 << 40)), 'of 16 bytes'),
    'double': (weights(tensor(kind='torch.DoubleStorage')), 'of 16 bytes'),
    'nested_keys': (b'\x80\x02}' + DOUBLED + b'Ns.', 'nested keys'),
    'nested_set': (b'\x80\x02' + call('builtins.set', b'](', DOUBLED, b'e') + b'.', 'nested val'),
    'deep': (b'\x80\x02' + b']' * 9000 + b'a' * 8999 + b'.', 'more than 64 levels'),
    'deep_tuples': (weights(number(1) + b'\x85' * 9000), 'more than 64 levels'),
    'in_itself': (b'\x80\x02}q\x00' + text('a') + b'h\x00s.', 'more than 64 levels'),
    'steps': (b'\x80\x02(' + b'}' * (MAX_STEPS + 9) + b'.', f'more than {MAX_STEPS} instr'),
    'copies': (
        b'\x80\x02'
        + (text('x' * 99_999) + b'q\x00' + name('_codecs.encode') + b'q\x01')
        + (b'h\x01h\x00' + text('latin1') + b'\x86R') * 99
        + b'.',
        'many times its own size',
    ),
    'memo': (b'\x80\x02}r\xff\xff\xff\xff' + text('a') + b'Ns.', "'a' is no tensor"),
    'digits': (b'\x80\x02L' + b'9' * 999_999 + b'L\n.', 'integer string|LONG'),
    'long_text': (b'\x80\x02X\xff\xff\xff\xff.', 'only 1 remain'),
}


@pytest.mark.parametrize('kind', HOSTILE)
def test_pickles_that_ask_for_much(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint_pickle, 'MAX_STEPS', MAX_STEPS)
    content, message = HOSTILE[kind]
    refused(tmp_path / f'{kind}.pth', zipped(content), message)


@pytest.mark.parametrize(
    'file, content, message',
    [
        ('bomb.pth', zipped(weights(tensor(1 << 26)), bytes(1 << 28), 8), 'unpacks to 2684'),
        ('old.pth', OLD + weights(tensor(1 << 40)).replace(b'tQ', b'NtQ'), 'have 1099511627776 va'),
        ('empty.pth', b'', 'STOP'),
        ('zeros.pth', bytes(999), 'opcode'),
        ('zip.pth', b'PK\x03\x04' + bytes(99), 'is no file of weights, or not all of one'),
        ('no_storage.pth', zipped(weights(storage())), 'holds a Storage'),
        ('a.safetensors', struct.pack('<Q', 1 << 60), 'header says that it has 11529'),
        ('b.safetensors', header(b'[' * 99_999), 'is no file of weights'),
        ('c.safetensors', header(b'{"__metadata__":{"meta":"' + b'[' * 99_999 + b'"}}'), 'Recurs'),
        ('d.safetensors', header(b'{"__metadata__":{"meta":"[1]"}}'), '"meta" is a list'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',  # zip files hold the time
)
def test_files_that_ask_for_much(file, content, message, tmp_path):
    refused(tmp_path / file, content, message)


def refused(path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=f'{path.name}: .*({message})'):
        read_checkpoint_file(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_a_folder_and_what_is_not_there(tmp_path):
    (tmp_path / 'a.pth').mkdir()
    with pytest.raises(InputError, match=r'a\.pth: is no file'):
        read_weights(tmp_path / 'a.pth')
    with pytest.raises(FileNotFoundError, match=r'b\.pth: there is no such'):
        read_weights(tmp_path / 'b.pth')


def test_a_flipped_bit_of_a_weight_is_found(tmp_path):
    content = bytearray(zipped(weights(tensor())))
    (tmp_path / 'a.pth').write_bytes(content)
    assert torch.equal(read_weights(tmp_path / 'a.pth')[0]['a'], torch.zeros(4))
    content[content.index(b'data/0') + 8] ^= 1
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(InputError, match='is no file of weights, or not all .*CRC'):
        read_weights(tmp_path / 'a.pth')


@pytest.mark.parametrize('is_zip', [True, False])
def test_honest_checkpoints_are_what_torch_reads(is_zip, tmp_path):
    """Shared and transposed storages, all numbers, the message hub, what the authors save."""
    hub, weight = MessageHub('test_honest'), torch.randn(6, 4)
    for value in (0.5, np.float32(1)):
        hub.update_scalar('loss', value)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    kinds = 'float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64'.split()
    kinds += ['uint16'] * is_zip  # torch itself cannot read it back from the old format
    content = dict(
        state_dict=model.state_dict(),
        message_hub=hub.state_dict(),
        optimizer=dict(state={0: dict(step=torch.tensor(1.0))}, param_groups=[dict(lr=0.1)]),
        meta=dict(epoch=3, values=np.arange(6.0).reshape(2, 3).T, best=np.float64(0.5), none=None),
        param_schedulers=[dict(milestones=collections.Counter([1, 2]), size=torch.Size([2]))],
        views=[weight, weight[2:4, 1], weight.T, torch.zeros(0), torch.tensor(1)],
        kinds=[torch.ones(3).to(getattr(torch, kind)) for kind in kinds],
        parameter=torch.nn.Parameter(weight.clone()),
        args=argparse.Namespace(lr=1.0, device=torch.device('cpu'), dtype=torch.float32),
        more=(1 << 99, -1, 'ä', b'\x00\xff', {1, 'a'}, 1e300, True),
    )
    path = tmp_path / 'ä.pth'
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    found, expected = read_checkpoint_file(path), torch.load(path, weights_only=False)
    same(found, expected)
    assert found['state_dict']._metadata == expected['state_dict']._metadata
    found['views'][0][2, 1] = 7.0  # they are views of it
    assert found['views'][1][0] == found['views'][2][1, 2] == 7.0
    torch.save(found, path)
    same(torch.load(path, weights_only=False), found)


def same(found, expected) -> None:
    assert type(found) is type(expected)
    if isinstance(found, torch.Tensor):
        assert found.requires_grad == expected.requires_grad
        assert (found.stride(), found.dtype) == (expected.stride(), expected.dtype)
        assert torch.equal(found, expected)
    elif isinstance(found, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(found, dict):
        assert list(found) == list(expected)
        for key in found:
            same(found[key], expected[key])
    elif isinstance(found, (list, tuple)):
        assert len(found) == len(expected)
        for pair in zip(found, expected):
            same(*pair)
    elif hasattr(found, '__dict__'):
        left_out = 'statistics_methods'  # which saving adds to a history
        same(*({k: v for k, v in vars(x).items() if k != left_out} for x in (found, expected)))
    else:
        assert found == expected


def test_torch_load_with_our_allow_list_makes_no_pointers(tmp_path):
    """What is called by torch's own reader, where a user calls that."""
    path = tmp_path / 'a.pth'
    for content in ('pointers', 'objects', 'an_attribute'):
        path.write_bytes(zipped(HOSTILE[content][0]))
        try:
            found = torch.load(path, weights_only=True)['state_dict']['a']
        except pickle.UnpicklingError:
            continue
        assert found.dtype == np.int8 and found.size == 0


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda c: c['meta'].update(epoch='4'), '"meta" has epoch=.4.'),
        (lambda c: c['meta'].update(iter=-1), '"meta" has iter=-1'),
        (lambda c: c.update(meta=[1]), '"meta" is a list'),
        (lambda c: c.update(optimizer=[1]), '"optimizer" is a list'),
        (lambda c: c.update(message_hub=torch.ones(1)), '"message_hub" is a Tensor'),
        (lambda c: c['state_dict'].update({3: torch.ones(1)}), '3 is no tensor'),
        (lambda c: c['state_dict'].update(b='a'), "'b' is no tensor"),
        (lambda c: c.update(state_dict=torch.ones(2)), 'is no tensor'),
    ],
)
def test_parts_of_another_type(change, message, tmp_path):
    content = dict(state_dict=dict(a=torch.ones(1)), meta=dict(epoch=4, iter=9), optimizer={})
    change(content)
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(InputError, match=rf'a\.pth: refused, .*{message}'):
        read_checkpoint_file(tmp_path / 'a.pth')
