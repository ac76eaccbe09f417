"""tools/data/convert_mamp_npz.py, both ways."""

import importlib.util
import os

import numpy as np
import pytest

from stars_mm.datasets import SkeletonDataset, load_annotations, save_annotations
from stars_mm.utils.safe_pickle import load_pickle


@pytest.fixture(scope='module')
def tool(repo_root):
    spec = importlib.util.spec_from_file_location(
        'convert_mamp_npz', repo_root / 'tools/data/convert_mamp_npz.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(tmp_path, name, classes=60, labels=(0, 3, 59), num_frames=8):
    rng = np.random.default_rng(0)
    made = {}
    for part, size in dict(train=3, test=2).items():
        x = np.zeros((size, num_frames, 150), np.float32)
        for i in range(size):
            x[i, : i + 2, :75] = rng.uniform(-2, 2, (i + 2, 75))
        made[f'x_{part}'] = x
        made[f'y_{part}'] = np.eye(classes)[list(labels[:size])]
    np.savez(tmp_path / name, **made)
    return str(tmp_path / name), made


def test_there_and_back(tool, tmp_path, capsys):
    src, made = save(tmp_path, 'NTU60_XView.npz')
    made['x_train'][1] = 0
    np.savez(src, **made)
    pkl = str(tmp_path / 'ann.pkl')
    tool.main([src, pkl])
    printed = capsys.readouterr().out
    assert (
        'train: 2 clips (2 of one person, 0 of two), 2 classes, 2 to 4 '
        'frames, 3.0 on average, 6 in all'
    ) in printed
    assert 'dropped: 1 clips\n  train_000001: zero throughout' in printed
    clips, splits = load_annotations(pkl)
    assert splits == dict(
        xview_train=['train_000000', 'train_000002'], xview_val=['test_000000', 'test_000001']
    )
    provenance = load_pickle(pkl)['provenance']
    assert provenance['source'] == 'NTU60_XView.npz'
    assert provenance['options'] == dict(protocol='xview', pad='zero')
    assert provenance['left_out'] == {'zero throughout': 1}
    assert len(provenance['sha256']) == 64
    data = SkeletonDataset(pkl, [], split='xview_train', num_classes=60)
    assert data.num_joints == 25 and len(data) == 2
    dst = str(tmp_path / 'back_NTU60_XView.npz')
    tool.main([pkl, dst, '--to-npz', '--frames', '8'])
    assert 'classes: 60' in capsys.readouterr().out
    back = np.load(dst, allow_pickle=False)
    np.testing.assert_array_equal(back['x_train'], made['x_train'][[0, 2]])
    for key in ('y_test', 'x_test'):
        np.testing.assert_array_equal(back[key], made[key])


def test_ntu120_has_novel_classes(tool, tmp_path):
    src, _ = save(tmp_path, 'NTU120_XSub.npz', 120, (59, 60, 119))
    pkl = str(tmp_path / 'ann.pkl')
    tool.main([src, pkl])
    _, splits = load_annotations(pkl)
    assert splits['novel_train'] == ['train_000001', 'train_000002']
    assert splits['novel_val'] == ['test_000001']
    assert len(splits['xsub_train']) == 3


def test_centred_on_a_joint(tool, tmp_path):
    keypoint = np.random.default_rng(0).standard_normal((1, 4, 25, 3))
    clips = [dict(frame_dir=name, label=0, keypoint=keypoint, total_frames=4) for name in 'ab']
    pkl = str(tmp_path / 'ann.pkl')
    save_annotations(pkl, clips, dict(xsub_train=['a'], xsub_val=['b']))
    dst = str(tmp_path / 'out.npz')
    tool.main([pkl, dst, '--to-npz', '--protocol', 'xsub', '--num-classes', '3', '--center', '1'])
    x = np.load(dst)['x_train']
    assert x.shape == (1, 300, 150)
    moved = (keypoint - keypoint[0, 0, 1])[0].reshape(4, 75)
    np.testing.assert_allclose(x[0, :4, :75], moved, atol=1e-6)
    assert not x[0, 4:].any() and not x[0, :, 75:].any()


@pytest.mark.parametrize(
    'args, message',
    [
        (['mine.npz', 'x.pkl'], r'mine\.npz: does not say .* --protocol'),
        (['NTU60_XSub.npz', 'x.h5'], r'x\.h5: .* ends in \.pkl or \.npz'),
        (['NTU60_XSub.pkl', 'x.npz'], r'XSub\.pkl: does not end in \.npz'),
        (['x.pkl', 'y.pkl', '--to-npz'], r'y\.pkl: does not end in \.npz'),
        (['x.pkl', 'my_XSub.npz', '--to-npz'], r'my_XSub\.npz: .*--num-classes'),
        (['NTU60_XSub.npz', 'x.pkl'], r'NTU60_XSub\.npz: there is no such file'),
        (['x.pkl', 'NTU60_XSub.npz', '--to-npz'], r'x\.pkl.*no such file'),
    ],
)
def test_errors(tool, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        tool.main(args)
    assert not os.listdir(tmp_path)


def test_to_our_npz_and_back(tool, tmp_path):
    """Which of the two kinds an .npz is of is told by its arrays."""
    src, made = save(tmp_path, 'NTU60_XSub.npz')
    for name in ('ours.pkl', 'ours.npz'):
        tool.main([src, str(tmp_path / name), '--protocol', 'xsub'])
    ours = str(tmp_path / 'ours.npz')
    clips, splits = load_annotations(ours)
    expected, expected_splits = load_annotations(str(tmp_path / 'ours.pkl'))
    assert splits == expected_splits
    for clip, other in zip(clips, expected):
        np.testing.assert_array_equal(clip.pop('keypoint'), other.pop('keypoint'))
        assert clip == other
    back = str(tmp_path / 'back_NTU60_XSub.npz')
    tool.main([ours, back, '--to-npz', '--frames', '8'])
    with np.load(back, allow_pickle=False) as file:
        for key, value in made.items():
            np.testing.assert_array_equal(file[key], value)
    with pytest.raises(
        SystemExit,
        match=r'ours\.npz: is an annotation file '
        'in our format already.*--to-npz',
    ):
        tool.main([ours, str(tmp_path / 'x.pkl'), '--protocol', 'xsub'])
    with pytest.raises(
        SystemExit,
        match=r'XSub\.npz: is no annotation file: '
        r'it holds x_train.*convert\.py .*XSub\.npz',
    ):
        tool.main([src, back, '--to-npz'])
    with pytest.raises(SystemExit, match=r'XSub\.npz: is SRC as well'):
        tool.main([src, src])


def test_nothing_but_zeros(tool, tmp_path):
    src, made = save(tmp_path, 'PKUv2_XSub.npz')
    np.savez(src, **{key: value * (key[0] == 'y') for key, value in made.items()})
    with pytest.raises(SystemExit, match='all 5 clips are zero throughout'):
        tool.main([src, str(tmp_path / 'x.pkl')])
    assert os.listdir(tmp_path) == ['PKUv2_XSub.npz']


def test_a_split_that_is_not_there(tool, tmp_path):
    src, _ = save(tmp_path, 'NTU60_XSub.npz')
    pkl = str(tmp_path / 'ann.pkl')
    tool.main([src, pkl])
    with pytest.raises(SystemExit, match="split='xset_train': .*no such spl"):
        tool.main([pkl, str(tmp_path / 'NTU120_XSet.npz'), '--to-npz'])
    with pytest.raises(SystemExit, match='label is 59, and num_classes=51'):
        tool.main([pkl, str(tmp_path / 'PKUv1_XSub.npz'), '--to-npz'])
