"""The authors' arrays, to annotations and back."""

import io
import os
import zipfile

import numpy as np
import pytest

from stars_mm.preparation.readers.mamp_npz import (
    parse_file_name,
    read_clips,
    read_labels,
    write_npz,
)


def arrays(train=3, test=2, num_frames=6, classes=4):
    """Clips of 1, 2, ... frames; odd ones have a second person."""
    made = {}
    for seed, (part, size) in enumerate(dict(train=train, test=test).items()):
        rng = np.random.default_rng(seed)
        x = np.zeros((size, num_frames, 150), np.float32)
        for i in range(size):
            x[i, : i + 1, : 75 * (1 + i % 2)] = rng.uniform(-2, 2, (i + 1, 75 * (1 + i % 2)))
        made[f'x_{part}'] = x
        made[f'y_{part}'] = np.eye(classes)[np.arange(size) % classes]
    return made


def save(tmp_path, name='NTU60_XSub.npz', **changes):
    path = tmp_path / name
    content = {**arrays(), **changes}
    np.savez(path, **{k: v for k, v in content.items() if v is not None})
    return str(path)


def read(path, pad='zero'):
    return list(read_clips(path, read_labels(path), pad))


@pytest.mark.parametrize(
    'name, said',
    [
        ('a/NTU60_XSub.npz', ('xsub', 60, 'zero')),
        ('NTU60_XView.npz', ('xview', 60, 'zero')),
        ('NTU60_CS.npz', ('xsub', 60, 'zero')),
        ('NTU120_XSet.npz', ('xset', 120, 'loop')),
        ('PKUv2_XSub.npz', ('xsub', 51, 'zero')),
        ('mine.npz', (None, None, 'zero')),
    ],
)
def test_file_names(name, said):
    assert parse_file_name(name) == said


def test_positions_become_names(tmp_path):
    clips = read(save(tmp_path))
    assert [clip['frame_dir'] for clip in clips] == [
        'train_000000',
        'train_000001',
        'train_000002',
        'test_000000',
        'test_000001',
    ]
    assert [clip['label'] for clip in clips] == [0, 1, 2, 0, 1]
    assert [clip['keypoint'].shape for clip in clips] == [
        (1, 1, 25, 3),
        (2, 2, 25, 3),
        (1, 3, 25, 3),
        (1, 1, 25, 3),
        (2, 2, 25, 3),
    ]
    x = arrays()['x_train']
    assert clips[1]['keypoint'][1, 1, 24, 2] == x[1, 1, 149]
    assert clips[1]['keypoint'][0, 1, 2, 1] == x[1, 1, 7]


def test_frames_within_a_clip_stay(tmp_path):
    x = arrays()['x_train']
    x[2, 1] = 0
    clip = read(save(tmp_path, x_train=x))[2]
    assert clip['total_frames'] == 3 and not clip['keypoint'][:, 1].any()


def test_a_clip_of_zeros_has_no_frames(tmp_path):
    x = arrays()['x_train']
    x[1] = 0
    assert [c['total_frames'] for c in read(save(tmp_path, x_train=x))] == [1, 0, 3, 1, 2]


@pytest.mark.parametrize('pad', ['zero', 'loop'])
def test_there_and_back(tmp_path, pad):
    content = arrays()
    if pad == 'loop':
        for x in (content['x_train'], content['x_test']):
            x[::2, :, 75:] = x[::2, :, :75]
    src, dst = save(tmp_path, **content), str(tmp_path / 'out' / 'back.npz')
    clips = read(src, pad)
    assert [len(clip['keypoint']) for clip in clips] == [1, 2, 1, 1, 2]
    parts = dict(train=clips[:3], test=clips[3:])
    write_npz(dst, parts, 4, num_frames=6, pad=pad)
    back = np.load(dst, allow_pickle=False)
    assert sorted(back.files) == sorted(content)
    for key, value in content.items():
        assert back[key].dtype == value.dtype
        np.testing.assert_array_equal(back[key], value)
    assert os.listdir(tmp_path / 'out') == ['back.npz']


@pytest.mark.parametrize('phase', [1, 2])
@pytest.mark.parametrize('protocol', ['XSub', 'XView'])
def test_golden(data_dir, tmp_path, phase, protocol):
    name = f'PKUv{phase}_{protocol}.npz'
    with zipfile.ZipFile(data_dir / f'pku_v{phase}_raw.zip') as archive:
        path = archive.extract(f'expected/{name}', tmp_path)
    clips = read(path)
    parts = {
        part: [c for c in clips if c['frame_dir'].startswith(part)] for part in ('train', 'test')
    }
    write_npz(str(tmp_path / name), parts, 51)
    assert_same_arrays(tmp_path / name, path)


@pytest.mark.parametrize(
    'dataset, name',
    [(60, 'NTU60_XSub'), (60, 'NTU60_XView'), (120, 'NTU120_XSub'), (120, 'NTU120_XSet')],
)
def test_golden_ntu(shared_dir, tmp_path, dataset, name):
    golden = shared_dir / 'parity' / f'ntu{dataset}_raw.zip'
    with zipfile.ZipFile(golden) as archive:
        path = archive.extract(f'expected/{name}.npz', tmp_path)
    pad = 'loop' if dataset == 120 else 'zero'
    clips = read(path, pad)
    assert {len(clip['keypoint']) for clip in clips} == {1, 2}
    parts = {
        part: [c for c in clips if c['frame_dir'].startswith(part)] for part in ('train', 'test')
    }
    num_frames = np.load(path)['x_train'].shape[1]
    write_npz(str(tmp_path / 'back.npz'), parts, dataset, num_frames, pad)
    assert_same_arrays(tmp_path / 'back.npz', path)


def assert_same_arrays(one, other):
    one, other = (np.load(p, allow_pickle=False) for p in (one, other))
    assert one.files == other.files
    for key in one.files:
        assert one[key].dtype == other[key].dtype
        np.testing.assert_array_equal(one[key], other[key])


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize('key', ['x_train', 'y_test'])
def test_objects_are_not_opened(tmp_path, key):
    trap = str(tmp_path / 'trap')
    objects = np.array([Trap(trap)] * 3, dtype=object)
    with pytest.raises(
        ValueError,
        match=f"XSub.npz: '{key}': is of dtype object, no array of numbers; it is not opened",
    ):
        read(save(tmp_path, **{key: objects}))
    assert not os.path.exists(trap)


def hot(*rows):
    return np.array(rows, dtype=float)


def with_nan():
    x = arrays()['x_test']
    x[1, 1, 7] = np.nan
    return x


BAD = {
    'missing': ('x_test', None, "has no 'x_test'; it has x_train, y_train"),
    'flat': ('x_train', np.zeros((3, 150)), r"'x_train': has shape \(3, 150"),
    'joints': ('x_train', np.zeros((3, 6, 120)), r'has shape \(3, 6, 120\)'),
    'count': ('x_test', np.zeros((3, 6, 150)), "'x_test': has 3 clips and y_test 2"),
    'nan': ('x_test', with_nan(), "'x_test': clip 1: frame 1 holds NaN"),
    'large': (
        'x_test',
        np.full((2, 6, 150), 1e60),
        "'x_test': clip 0: frame 0 holds NaN or what is too large",
    ),
    'labels': ('y_test', np.array([0.0, 1.0]), r"'y_test': has shape \(2,\)"),
    'no clips': ('y_test', np.zeros((0, 4)), r'has shape \(0, 4\)'),
    'two-hot': ('y_test', hot([0, 1], [1, 1]), "'y_test': row 1 is not one-"),
    'none hot': ('y_test', hot([0, 0], [0, 1]), "'y_test': row 0 is not one-"),
    'half': ('y_test', hot([0, 1], [1, 0.5]), "'y_test': row 1 is not one-hot"),
    'text': ('x_train', np.array(['a']), "'x_train': is of dtype <U1"),
    'fortran': (
        'x_train',
        np.asfortranarray(arrays()['x_train']),
        "'x_train': is in Fortran order",
    ),
}


@pytest.mark.parametrize('key, value, message', BAD.values(), ids=BAD)
def test_bad_input_is_named(tmp_path, key, value, message):
    with pytest.raises(ValueError, match=rf'NTU60_XSub\.npz: .*{message}'):
        read(save(tmp_path, **{key: value}))


def test_files_that_do_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.npz: there is no'):
        read(str(tmp_path / 'none.npz'))
    broken = tmp_path / 'broken.npz'
    broken.write_bytes(b'PK')
    with pytest.raises(ValueError, match=r'broken\.npz: is no readable \.npz'):
        read(str(broken))
    path = tmp_path / 'short.npz'
    with zipfile.ZipFile(save(tmp_path)) as whole, zipfile.ZipFile(path, 'w') as short:
        for name in whole.namelist():
            content = whole.read(name)
            cut = 1000 if name == 'x_train.npy' else 0
            short.writestr(name, content[: len(content) - cut])
    with pytest.raises(ValueError, match="'x_train': is cut off in row 2 of"):
        read(str(path))
    magic = tmp_path / 'magic.npz'
    with zipfile.ZipFile(magic, 'w') as archive:
        archive.writestr('y_train.npy', b'not numpy at all')
    with pytest.raises(ValueError, match="magic.npz: 'y_train': the magic"):
        read(str(magic))


def clip(shape, **extra):
    return dict(frame_dir='wave', label=0, keypoint=np.ones(shape), total_frames=shape[1], **extra)


@pytest.mark.parametrize(
    'shape, message',
    [
        ((1, 4, 20, 3), r"clip 'wave': keypoint has shape \(1, 4, 20, 3\)"),
        ((1, 4, 25, 2), '25 joints, 3 coordinates'),
        ((3, 4, 25, 3), 'at most 2 persons'),
        ((1, 7, 25, 3), "'wave': has 7 frames, and 6 were .* --frames 7 or more"),
    ],
)
def test_clips_that_do_not_fit(tmp_path, shape, message):
    path = str(tmp_path / 'out.npz')
    with pytest.raises(ValueError, match=message):
        write_npz(path, dict(train=[clip(shape)], test=[]), 4, num_frames=6)
    assert not os.listdir(tmp_path)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left'):
        write_npz(str(tmp_path / 'out.npz'), dict(train=[clip((1, 4, 25, 3))], test=[]), 4)
    assert not os.listdir(tmp_path)


def test_every_npy_header_is_read(tmp_path):
    path = tmp_path / 'v2.npz'
    with zipfile.ZipFile(path, 'w') as archive:
        for key, value in arrays().items():
            file = io.BytesIO()
            np.lib.format.write_array(file, value, version=(2, 0))
            archive.writestr(f'{key}.npy', file.getvalue())
    assert len(read(str(path))) == 5
