"""Recordings of PKU-MMD against the arrays that the authors' program makes."""

import zipfile

import numpy as np
import pytest
from mmengine.config import Config

from stars_mm.datasets import SkeletonDataset


@pytest.mark.parametrize('phase', [1, 2])
def test_golden(convert_with, phase, data_dir, tmp_path):
    src = data_dir / f'pku_v{phase}_raw.zip'
    found = convert_with(f'pku{phase}', src)
    assert len(found.clips) == 12 and len(found.class_names) == 51
    assert not found.report.dropped and not found.report.remarks
    with zipfile.ZipFile(src) as archive:
        archive.extractall(tmp_path)
    for protocol in ('XSub', 'XView'):
        arrays = np.load(tmp_path / f'expected/PKUv{phase}_{protocol}.npz', allow_pickle=False)
        for part, ours in (('train', 'train'), ('test', 'val')):
            clips = [found.clips[name] for name in found.splits[f'{protocol.lower()}_{ours}']]
            assert [clip['label'] for clip in clips] == list(arrays[f'y_{part}'].argmax(1))
            np.testing.assert_array_equal(list(map(padded, clips)), arrays[f'x_{part}'])


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


def text(num_frames, persons=1, empty=range(0)):
    table = np.zeros((num_frames, 150))
    table[:, : 75 * persons] = np.random.default_rng(0).uniform(-2, 2, (num_frames, 75 * persons))
    table[list(empty)] = 0
    return '\n'.join(' '.join(f'{v:.6f}' for v in row) for row in table)


S, L, X = 'skeleton/0001-L.txt', 'label/0001-L.txt', 'cross-subject.txt'
SOUND = {
    S: text(12),
    'skeleton/0002-M.txt': text(20, 2),
    L: '1,2,6,2\n51,6,12,1\n',
    'label/0002-M.txt': '7,0,20,2\n',
    X: 'Training videos:\n0001-L, \nValidataion videos:\n0002-M\n',
    'cross-view.txt': 'Training ids:\n0002-M\nValidation ids:\n0001-L\n',
}


def make_zip(tmp_path, **changes):
    path = tmp_path / 'pku.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in {**SOUND, **changes}.items():
            if content is not None:
                archive.writestr(f'any/{name}', content)
    return str(path)


def test_what_is_left_out_is_said(convert_with, tmp_path):
    changes = {
        S: text(400, empty=range(10, 20)),
        L: '1,10,20,2\n2,30,340,2\n3,350,420,2\n4,401,410,2',
        'label/0009-R.txt': '1,2,6,2',
        X: 'Training ids:\n0001-L,0007-M\nValidation ids:\n0008-M',
    }
    found = convert_with('pku1', make_zip(tmp_path, **changes), outside='cut')
    assert found.report.dropped == {
        '0001-L_000': 'zero throughout',
        '0001-L_003': 'the label names frames past the end',
    }
    assert [clip['total_frames'] for clip in found.clips.values()] == [300, 50, 20]
    assert found.provenance['counts'] == {'cut to 300 frames': 1, 'ends with its recording': 1}
    assert found.splits['xsub_train'] == ['0001-L_001', '0001-L_002']
    remarks = '\n'.join(found.report.remarks)
    assert '1 label files have no skeletons, such as any/label/0009-R' in remarks
    assert 'names 2 recordings that are not here, such as 0007-M' in remarks
    assert 'does not name 1 recordings, such as 0002-M: taken into xsub' in remarks
    whole = convert_with('pku1', make_zip(tmp_path, **changes), outside='cut', max_frames=0)
    assert [clip['total_frames'] for clip in whole.clips.values()] == [310, 50, 20]


@pytest.mark.parametrize(
    'name, content, message',
    [
        (S, SOUND[S][:-40], 'line 12: has 14. numbers.*150'),
        (S, text(4) + '\n' + text(1).replace('0.', 'x', 1), "line 5: holds '.*x.*', where a num"),
        (S, text(4) + '\nnan' + ' 0' * 149, "line 5: holds 'nan', which is no finite"),
        (S, '\n', 'holds no frames'),
        (L, '1,2,6,2\n2,6,13,2', 'line 2: frames 6 to 13 go past .* 12.*outside=cut'),
        (L, '1,6,6,2', 'line 1: frames 6 to 6 are none'),
        (L, '\n52,2,6,2', 'line 2: class 52 is not .* 1 to 51'),
        (L, '1,2.5,6,2', "line 1: holds '2.5' where a whole"),
        (L, '1,2,6', 'line 1: has 3 numbers; class, start, end'),
        (L, '', 'holds no label row'),
        (L, '1,0,12,2\n' * 999, '999 rows are 11988 frames'),  # each of which would be a copy
        (X, '0001-L', 'line 1: names come before the heading'),
        (X, 'Names:\n0001-L', "line 1: 'Names:' is no heading"),
        (X, 'Training:\nValidation:\n0001-L', "names nothing after 'Training ids:'"),
        (X, 'Training:\n0001-L\nValidation:\n0001-L', "line 4: '0001-L' is to train and to"),
        (X, 'Training:\nA01N01-L\nValidation:\nA02N02-L', 'no recording for training'),
        (X, 'Training:\n0001-L,0002-M\nValidation:\nx', 'no recording for validation'),
    ],
)
def test_bad_input_is_named(convert_with, tmp_path, name, content, message):
    src = make_zip(tmp_path, **{name: content})
    with pytest.raises(ValueError, match=rf'pku\.zip: .*any/{name}.*: .*{message}'):
        convert_with('pku1', src)


@pytest.mark.parametrize(
    'reader, changes, options, message',
    [
        ('pku1', {'cross-view.txt': None}, {}, r"no split file 'cross-view\.txt'.*any/cross-subj"),
        ('pku1', {L: None}, {}, r"'any/skeleton/0001-L\.txt' has no label file 0001-L\.txt"),
        ('pku2', {}, {}, r"'cross_subject_v2\.txt' \(phase 2"),
        ('pku1', {**dict.fromkeys(SOUND), L: '1'}, {}, "no .txt in a folder 'skeleton'"),
        ('pku1', {'b/skeleton/0001-L.txt': ''}, {}, 'have one name. Remove one'),
        ('pku1', {'b/cross-view.txt': ''}, {}, 'are the same split file'),
        ('pku1', {}, dict(max_frames=-1), 'max_frames=-1'),
        ('pku1', {}, dict(outside='drop'), "outside='drop': choose"),
    ],
)
def test_missing_files_are_named(convert_with, tmp_path, reader, changes, options, message):
    with pytest.raises(ValueError, match=message):
        convert_with(reader, make_zip(tmp_path, **changes), **options)
