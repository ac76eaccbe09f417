"""tools/data/convert_pku.py from the command line's arguments to the file."""

import importlib.util
import os

import numpy as np
import pytest

from stars_mm.datasets import SkeletonDataset, load_annotations
from stars_mm.utils.safe_pickle import load_pickle


@pytest.fixture(scope='module')
def tool(repo_root):
    spec = importlib.util.spec_from_file_location(
        'convert_pku', repo_root / 'tools/data/convert_pku.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_convert(tool, data_dir, tmp_path, capsys):
    src, dst = data_dir / 'pku_v2_raw.zip', tmp_path / 'out' / 'pku2_3d.pkl'
    tool.main([str(src), str(dst), '--phase', '2', '--max-frames', '50'])
    assert os.listdir(dst.parent) == ['pku2_3d.pkl']
    clips, splits = load_annotations(str(dst))
    assert {name: len(split) for name, split in splits.items()} == dict(
        xsub_train=9, xsub_val=3, xview_train=6, xview_val=6
    )
    assert max(clip['total_frames'] for clip in clips) == 50
    content = load_pickle(str(dst))
    assert content['class_names'][0] == 'bow'
    provenance = content['provenance']
    assert provenance['source'] == 'pku_v2_raw.zip'
    assert provenance['dataset'] == 'PKU-MMD II'
    assert provenance['options'] == dict(max_frames=50, outside='error')
    assert len(provenance['sha256']) == 64
    printed = capsys.readouterr().out
    rows = [line.split()[:5] for line in printed.splitlines()]
    assert ['all', '9', '3', '6', '6'] in rows
    assert ['9', '1', '0', '1', '0'] in rows  # drop
    assert 'cut to 50 frames: 2 clips' in printed
    assert 'dropped: 0 clips' in printed
    npz = str(tmp_path / 'pku2_3d.npz')
    tool.main([str(src), npz, '--phase', '2', '--max-frames', '50'])
    for clip, other in zip(clips, load_annotations(npz)[0]):
        np.testing.assert_array_equal(clip.pop('keypoint'), other.pop('keypoint'))
        assert clip == other


def test_what_was_there_stays_when_it_fails(tool, data_dir, tmp_path):
    dst = tmp_path / 'pku.pkl'
    dst.write_bytes(b'before')
    with pytest.raises(SystemExit, match=r"error: .*no split file 'cross-sub"):
        tool.main([str(data_dir / 'pku_v2_raw.zip'), str(dst), '--phase', '1'])
    assert dst.read_bytes() == b'before'
    assert os.listdir(tmp_path) == ['pku.pkl']
    with pytest.raises(SystemExit, match=r'pku\.h5: .* ends in \.pkl'):
        tool.main(['none', 'pku.h5', '--phase', '1'])


def test_a_full_disk_leaves_nothing(tool, data_dir, tmp_path, monkeypatch):

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(SystemExit, match='error: .*No space left on device'):
        tool.main(
            [
                str(data_dir / 'pku_v1_raw.zip'),
                str(tmp_path / 'pku.pkl'),
                '--phase',
                '1',
                '--workers',
                '1',
            ]
        )
    assert not os.listdir(tmp_path)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'convert_pku\.py .*pku2_3d\.pkl --phase 2'):
        SkeletonDataset(str(tmp_path / 'pku2_3d.pkl'), [])
