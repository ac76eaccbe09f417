"""Both stages of ``stars_custom.py`` on recordings whose classes nobody knows."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

from stars_mm.preparation.layouts import get_layout


@pytest.fixture
def flat(tmp_path):
    """A flat folder of clips of 15 joints."""
    folder = tmp_path / 'flat'
    folder.mkdir()
    joints = get_layout('common-15').num_joints
    for number in range(12):
        rng = np.random.default_rng(number)
        body, time = rng.normal(0, 0.5, (1, joints, 3)), np.linspace(0, 4, 20 + number)
        clip = body + 0.2 * np.sin(time[:, None, None] + rng.random((1, joints, 3)))
        np.save(folder / f'take{number}.npy', clip)
    return folder


@pytest.fixture
def ann_file(flat, load_tool, tmp_path, capsys):
    path = str(tmp_path / 'flat.npz')
    load_tool('data/convert.py').main([str(flat), path, '--layout', 'common-15'])
    assert 'warning no_label (12): no clip has a label' in capsys.readouterr().out
    return path


def test_nothing_is_judged(ann_file, repo_root, monkeypatch):
    monkeypatch.setenv('ANN_FILE', ann_file)
    for name in ('stars_custom.py', 'similarity/similarity_vit-2l-256d_1xb48_custom.py'):
        cfg = Config.fromfile(repo_root / 'configs' / name)
        assert [cfg[f'val_{key}'] for key in ('cfg', 'dataloader', 'evaluator')] == [None] * 3
        assert cfg.custom_hooks[0].dataloader.dataset.split == 'train'
    with pytest.raises(ValueError, match=r'flat\.npz.*: no clip has a label'):
        path = 'benchmarks/linear/linear_vit-2l-256d_1xb32-50e_custom.py'
        Config.fromfile(repo_root / 'configs' / path)


@pytest.mark.slow
def test_both_stages(ann_file, repo_root, run_command, tmp_path):
    run_command(
        *('python', repo_root / 'tools/train.py', repo_root / 'configs/stars_custom.py'),
        *('--work-dir', tmp_path / 'run'),
        ANN_FILE=ann_file,
        PRETRAIN_ITERS='2',
    )
    states = [
        torch.load(path)['state_dict']
        for folder in ('run/pretrain', 'run')
        for path in sorted((tmp_path / folder).glob('epoch_*.pth'))[-1:]
    ]
    assert len(states) == 2
    weight = 'backbone.blocks.0.attn.qkv.weight'
    assert weight in states[0], sorted(states[0])[:20]
    assert all(state[weight].isfinite().all() for state in states)
    assert not torch.equal(*(state[weight] for state in states))
