"""Recordings of PKU-MMD against the arrays that the authors' program makes."""

import io
import zipfile

import numpy as np
import pytest
from mmengine.config import Config

from stars_mm.datasets import SkeletonDataset


def expected(path, phase, protocol):
    with zipfile.ZipFile(path) as archive:
        content = archive.read(f'expected/PKUv{phase}_{protocol}.npz')
    return np.load(io.BytesIO(content), allow_pickle=False)


@pytest.mark.parametrize('phase', [1, 2])
@pytest.mark.parametrize('kind', ['zip', 'folder'])
def test_golden(convert_with, phase, kind, data_dir, tmp_path):
    golden = src = data_dir / f'pku_v{phase}_raw.zip'
    if kind == 'folder':
        with zipfile.ZipFile(golden) as archive:
            archive.extractall(tmp_path)
        src = tmp_path / 'raw'
    found = convert_with(f'pku{phase}', src)
    assert len(found.clips) == 12 and len(found.class_names) == 51
    assert not found.report.dropped and not found.report.remarks
    for protocol in ('XSub', 'XView'):
        arrays = expected(golden, phase, protocol)
        for part, ours in (('train', 'train'), ('test', 'val')):
            names = found.splits[f'{protocol.lower()}_{ours}']
            x, y = arrays[f'x_{part}'], arrays[f'y_{part}']
            assert len(names) == len(x)
            assert [found.clips[name]['label'] for name in names] == list(y.argmax(1))
            for name, flat in zip(names, x):
                np.testing.assert_array_equal(padded(found.clips[name]), flat)


def padded(clip):
    """(300, 150): frame by frame, person by person."""
    flat = np.zeros((300, 150), np.float32)
    for person, track in enumerate(clip['keypoint']):
        for number, joints in enumerate(track):
            flat[number, 75 * person : 75 * (person + 1)] = joints.reshape(75)
    return flat


@pytest.mark.parametrize('phase', [1, 2])
def test_configs_take_the_file(convert_with, data_dir, repo_root, phase):
    found = convert_with(f'pku{phase}', data_dir / f'pku_v{phase}_raw.zip')
    cfg = Config.fromfile(repo_root / f'configs/_base_/datasets/pku{phase}-xsub.py')
    for loader, size in ((cfg.train_dataloader, 9), (cfg.test_dataloader, 3)):
        options = dict(loader.dataset, ann_file=found.path)
        assert options.pop('type') == 'SkeletonDataset'
        data = SkeletonDataset(**options)
        assert len(data) == size
        assert data[0]['inputs'].shape == (1, 2, 120, 25, 3)


def frames(num_frames, persons=1, seed=0):
    rng = np.random.default_rng(seed)
    table = np.zeros((num_frames, 150))
    table[:, : 75 * persons] = rng.uniform(-2, 2, (num_frames, 75 * persons))
    return table


def text(table):
    return '\n'.join(' '.join(f'{v:.6f}' for v in row) for row in table)


SOUND = {
    'skeleton/0001-L.txt': text(frames(12)),
    'skeleton/0002-M.txt': text(frames(20, 2, 1)),
    'label/0001-L.txt': '1,2,6,2\n51,6,12,1\n',
    'label/0002-M.txt': '7,0,20,2\n',
    'cross-subject.txt': 'Training videos:\n0001-L, \nValidataion videos:\n0002-M\n',
    'cross-view.txt': 'Training ids:\n0002-M\nValidation ids:\n0001-L\n',
}


def make_zip(tmp_path, **changes):
    path = tmp_path / 'pku.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in {**SOUND, **changes}.items():
            if content is not None:
                archive.writestr(f'any/{name}', content)
    return str(path)


def test_clips_are_cut_by_hand(convert_with, tmp_path):
    found = convert_with('pku1', make_zip(tmp_path))
    names = list(found.clips)
    assert names == ['0001-L_000', '0001-L_001', '0002-M_000']
    assert [clip['label'] for clip in found.clips.values()] == [0, 50, 6]
    assert found.splits == dict(
        xsub_train=names[:2], xsub_val=names[2:], xview_train=names[2:], xview_val=names[:2]
    )
    one, two, three = (clip['keypoint'] for clip in found.clips.values())
    assert one.shape == (1, 4, 25, 3) and two.shape == (1, 6, 25, 3)
    assert three.shape == (2, 20, 25, 3) and three.dtype == np.float32
    np.testing.assert_allclose(two[0, 1, 24], frames(12)[7, 72:75], atol=1e-6)
    np.testing.assert_allclose(three[1, 3, 2], frames(20, 2, 1)[3, 81:84], atol=1e-6)


def test_what_is_left_out_is_said(convert_with, tmp_path):
    table = frames(400)
    table[10:20] = 0
    changes = {
        'skeleton/0001-L.txt': text(table),
        'label/0001-L.txt': '1,10,20,2\n2,30,340,2\n3,350,420,2\n4,401,410,2',
        'label/0009-R.txt': '1,2,6,2',
        'cross-subject.txt': 'Training ids:\n0001-L,0007-M\nValidation ids:\n0008-M',
    }
    found = convert_with('pku1', make_zip(tmp_path, **changes), outside='cut')
    assert found.report.dropped == {
        '0001-L_000': 'zero throughout',
        '0001-L_003': 'the label names frames past the end',
    }
    sizes = [clip['total_frames'] for clip in found.clips.values()]
    assert sizes == [300, 50, 20]
    assert found.provenance['counts'] == {'cut to 300 frames': 1, 'ends with its recording': 1}
    assert found.splits['xsub_train'] == ['0001-L_001', '0001-L_002']
    remarks = '\n'.join(found.report.remarks)
    assert '1 label files have no skeletons, such as any/label/0009-R' in remarks
    assert 'names 2 recordings that are not here, such as 0007-M' in remarks
    assert 'does not name 1 recordings, such as 0002-M: taken into xsub' in remarks
    whole = convert_with('pku1', make_zip(tmp_path, **changes), outside='cut', max_frames=0)
    assert [clip['total_frames'] for clip in whole.clips.values()] == [310, 50, 20]


def with_value(value):
    rows = text(frames(12)).splitlines()
    rows[4] = ' '.join([value] + rows[4].split()[1:])
    return '\n'.join(rows)


S, L, X = 'skeleton/0001-L.txt', 'label/0001-L.txt', 'cross-subject.txt'
BAD = {
    'cut off': (S, text(frames(12))[:-40], 'line 12: has 14. numbers.*150'),
    'text': (S, with_value('x1'), "line 5: holds 'x1', where a number"),
    'bytes': (S, with_value('\xff'), r"line 5: holds '\\xc3\\xbf', where"),
    'nan': (S, with_value('nan'), "line 5: holds 'nan', which is no finite"),
    'no frames': (S, '\n', 'holds no frames'),
    'outside': (L, '1,2,6,2\n2,6,13,2', 'line 2: frames 6 to 13 go past .* 12.*outside=cut'),
    'no length': (L, '1,6,6,2', 'line 1: frames 6 to 6 are none'),
    'class': (L, '\n52,2,6,2', 'line 2: class 52 is not .* 1 to 51'),
    'fraction': (L, '1,2.5,6,2', "line 1: holds '2.5' where a whole"),
    'count': (L, '1,2,6', 'line 1: has 3 numbers; class, start, end'),
    'no rows': (L, '', 'holds no label row'),
    'no heading': (X, '0001-L', 'line 1: names come before the heading'),
    'heading': (X, 'Names:\n0001-L', "line 1: 'Names:' is no heading"),
    'no training': (
        X,
        'Training ids:\nValidation ids:\n0001-L',
        "names nothing after 'Training ids:'",
    ),
    'both': (
        X,
        'Training ids:\n0001-L\nValidation ids:\n0001-L',
        "line 4: '0001-L' is to train and to validate",
    ),
    'other phase': (
        X,
        'Training ids:\nA01N01-L\nValidation ids:\nA01N02-L',
        'leaves no recording for training',
    ),
    'all train': (
        X,
        'Training ids:\n0001-L,0002-M\nValidation ids:\nx',
        'leaves no recording for validation',
    ),
}


@pytest.mark.parametrize('name, content, message', BAD.values(), ids=BAD)
def test_bad_input_is_named(convert_with, tmp_path, name, content, message):
    src = make_zip(tmp_path, **{name: content})
    with pytest.raises(ValueError, match=rf'pku\.zip: .*any/{name}.*: .*{message}'):
        convert_with('pku1', src)


NOTHING = dict.fromkeys(SOUND)


@pytest.mark.parametrize(
    'reader, changes, message',
    [
        (
            'pku1',
            {'cross-view.txt': None},
            r"no split file 'cross-view\.txt' \(phase 1, xview\)\. It has any/cross-subject\.txt",
        ),
        ('pku1', {L: None}, r"'any/skeleton/0001-L\.txt' has no label file 0001-L\.txt"),
        ('pku2', {}, r"'cross_subject_v2\.txt' \(phase 2"),
        ('pku1', NOTHING, r'pku\.zip: holds no \.txt'),
        ('pku1', {**NOTHING, L: '1'}, "no .txt in a folder 'skeleton'"),
        ('pku1', {'b/skeleton/0001-L.txt': ''}, 'have one name. Remove one'),
        ('pku1', {'b/cross-view.txt': ''}, 'are the same split file'),
    ],
)
def test_missing_files_are_named(convert_with, tmp_path, reader, changes, message):
    with pytest.raises(ValueError, match=message):
        convert_with(reader, make_zip(tmp_path, **changes))


@pytest.mark.parametrize(
    'options, message',
    [(dict(max_frames=-1), 'max_frames=-1'), (dict(outside='drop'), "outside='drop': choose")],
)
def test_arguments(convert_with, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        convert_with('pku1', make_zip(tmp_path), **options)
