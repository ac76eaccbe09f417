"""The authors' arrays, to annotations and back."""

import os
import zipfile

import numpy as np
import pytest

from stars_mm.preparation.mamp_export import write_npz
from stars_mm.preparation.readers.mamp_npz import parse_file_name
from stars_mm.preparation.readers.mamp_npz import read as read_set


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
    """The clips' keypoints by name."""
    recordings = read_set(path, protocol='xsub', pad=pad)
    return {recording.name: recording.load().keypoints for recording in recordings}


def test_file_names():
    for name, said in {
        'a/NTU60_XView.npz': ('xview', 60, 'zero'),
        'NTU120_CS.npz': ('xsub', 120, 'loop'),
        'PKUv2_XSub.npz': ('xsub', 51, 'zero'),
        'mine.npz': (None, None, 'zero'),
    }.items():
        assert parse_file_name(name) == said


def test_convert(convert_with, tmp_path):
    x = arrays()['x_train']
    x[0] = 0
    x[2, 1] = 0  # frames within a clip stay
    found = convert_with('mamp-npz', save(tmp_path, x_train=x, name='NTU60_XView.npz'))
    assert {name: clip['keypoint'].shape for name, clip in found.clips.items()} == dict(
        train_000001=(2, 2, 25, 3),
        train_000002=(1, 3, 25, 3),
        test_000000=(1, 1, 25, 3),
        test_000001=(2, 2, 25, 3),
    )
    assert [clip['label'] for clip in found.clips.values()] == [1, 2, 0, 1]
    assert found.splits == dict(
        xview_train=['train_000001', 'train_000002'], xview_val=['test_000000', 'test_000001']
    )
    assert found.class_names == list('0123')
    keypoint = found.clips['train_000001']['keypoint']
    assert keypoint[1, 1, 24, 2] == x[1, 1, 149] and keypoint[0, 1, 2, 1] == x[1, 1, 7]
    assert found.report.dropped == dict(train_000000='zero throughout')


def test_ntu120_has_novel_classes(convert_with, tmp_path):
    y_train, y_test = np.eye(120)[[59, 60, 119]], np.eye(120)[[60, 3]]
    src = save(tmp_path, 'NTU120_XSub.npz', y_train=y_train, y_test=y_test)
    found = convert_with('mamp-npz', src)
    assert found.splits['novel_train'] == ['train_000001', 'train_000002']
    assert found.splits['novel_val'] == ['test_000000']
    assert len(found.splits['xsub_train']) == 3
    assert [found.class_names[n] for n in (0, 119)] == ['drink water', 'rock-paper-scissors']
    assert found.clips['train_000002']['label'] == 119


def export(path, clips, labels, num_classes, **options):
    parts = dict(train=[], test=[])
    for (name, keypoint), label in zip(clips.items(), labels):
        clip = dict(frame_dir=name, label=label, keypoint=keypoint, total_frames=len(keypoint[0]))
        parts[name.split('_')[0]].append(clip)
    write_npz(str(path), parts, num_classes, **options)


@pytest.mark.parametrize(
    'golden, name, num_classes',
    [
        ('pku_v1', 'PKUv1_XSub', 51),
        ('pku_v2', 'PKUv2_XView', 51),
        ('ntu60', 'NTU60_XSub', 60),
        ('ntu60', 'NTU60_XView', 60),
        ('ntu120', 'NTU120_XSub', 120),
        ('ntu120', 'NTU120_XSet', 120),
    ],
)
def test_golden(data_dir, tmp_path, golden, name, num_classes):
    with zipfile.ZipFile(data_dir / f'{golden}_raw.zip') as archive:
        path = archive.extract(f'expected/{name}.npz', tmp_path)
    arrays = np.load(path)
    labels = [*arrays['y_train'].argmax(1), *arrays['y_test'].argmax(1)]
    pad = 'loop' if num_classes == 120 else 'zero'
    options = dict(num_frames=arrays['x_train'].shape[1], pad=pad)
    export(tmp_path / 'back.npz', read(path, pad), labels, num_classes, **options)
    back = np.load(tmp_path / 'back.npz', allow_pickle=False)
    assert back.files == arrays.files
    for key, value in arrays.items():
        assert back[key].dtype == value.dtype
        np.testing.assert_array_equal(back[key], value)


def with_nan():
    x = arrays()['x_test']
    x[1, 1, 7] = np.nan
    return x


FORTRAN = np.asfortranarray(arrays()['x_train'])


@pytest.mark.parametrize(
    'key, value, message',
    [
        ('x_test', None, "has no 'x_test'; it has x_train, y_train"),
        ('y_test', np.zeros((2, 20_000), 'u1'), 'has 20000 classes, and 10000 are the most'),
        ('x_train', np.zeros((3, 6, 120)), r'has shape \(3, 6, 120\)'),
        ('x_test', np.zeros((3, 6, 150)), "'x_test': has 3 clips and y_test 2"),
        ('x_test', with_nan(), "'x_test': clip 1: frame 1 holds NaN"),
        ('y_test', np.array([[0, 1], [1, 0.5]]), "'y_test': row 1 is not one-hot"),
        ('x_train', np.array([{}] * 3), "'x_train': is of dtype object, no array of numb"),
        ('x_train', FORTRAN, "'x_train': is in Fortran order"),
    ],
)
def test_bad_input_is_named(convert_with, tmp_path, key, value, message):
    with pytest.raises(ValueError, match=rf'NTU60_XSub\.npz: .*{message}'):
        convert_with('mamp-npz', save(tmp_path, **{key: value}))


def test_files_that_do_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.npz: there is no'):
        read(str(tmp_path / 'none.npz'))
    with pytest.raises(ValueError, match="pad='one': choose"):
        read(save(tmp_path), 'one')
    with pytest.raises(ValueError, match=r'mine\.npz: does not say .* protocol'):
        read_set(save(tmp_path, 'mine.npz'))
    path = tmp_path / 'broken.npz'
    path.write_bytes(b'PK')
    with pytest.raises(ValueError, match=r'broken\.npz: is no readable \.npz'):
        read(str(path))
    with zipfile.ZipFile(save(tmp_path)) as whole, zipfile.ZipFile(path, 'w') as short:
        for name in whole.namelist():
            content = whole.read(name)
            cut = 1000 if name == 'x_train.npy' else 0
            short.writestr(name, content[: len(content) - cut])
    with pytest.raises(ValueError, match='10800 bytes of float32 are'):
        read(str(path))


@pytest.mark.parametrize(
    'shape, message',
    [
        ((1, 4, 20, 3), r"clip 'test_0': keypoint has shape \(1, 4, 20, 3\)"),
        ((3, 4, 25, 3), 'at most 2 persons'),
        ((1, 7, 25, 3), "'test_0': has 7 frames, and 6 were .* --frames 7 or more"),
    ],
)
def test_clips_that_do_not_fit(tmp_path, shape, message):
    with pytest.raises(ValueError, match=message):
        export(tmp_path / 'out.npz', dict(test_0=np.ones(shape)), [0], 4, num_frames=6)
    assert not os.listdir(tmp_path)


def test_clips_without_a_label_are_not_for_them(tmp_path):
    clip = dict(frame_dir='a', keypoint=np.zeros((1, 4, 25, 3)), total_frames=4)
    with pytest.raises(
        ValueError, match="clip 'a': has no label, and the authors' arrays need one"
    ):
        write_npz(str(tmp_path / 'x.npz'), dict(train=[clip], test=[]), 60)
