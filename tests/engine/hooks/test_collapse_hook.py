"""How far apart features are, by numpy and in closed form; a collapse is told once."""

import json

import numpy as np
import pytest
import torch

from stars_mm.engine.hooks import CollapseHook, NonFiniteHook
from stars_mm.engine.hooks.collapse_hook import feature_spread

OPTIONS = {'train_cfg.max_epochs': 2, 'train_dataloader.batch_size': 8, 'randomness.seed': 0}
OPTIONS |= dict(val_cfg=None, val_dataloader=None, val_evaluator=None)


def spread_by_numpy(feats: np.ndarray) -> tuple[float, float]:
    unit = np.stack([row / np.sqrt((row**2).sum()) for row in feats])
    variances = [np.var(unit[:, channel]) for channel in range(unit.shape[1])]
    values = np.sqrt(np.clip(np.linalg.eigvalsh(unit @ unit.T), 0, None))
    share = [value / values.sum() for value in values if value > 1e-9]
    return np.sqrt(sum(variances)), np.exp(-sum(p * np.log(p) for p in share))


@pytest.mark.parametrize('shape', [(9, 4), (6, 20)])
def test_spread_is_numpys(shape):
    feats = 2 + np.random.default_rng(0).normal(size=shape)
    found = feature_spread(torch.from_numpy(feats).float())
    assert found == pytest.approx(spread_by_numpy(feats), rel=1e-3)


def test_spread_in_closed_form():
    """N directions at right angles; two opposite ones; all alike."""
    std, rank = feature_spread(3 * torch.eye(8, 20))
    assert std == pytest.approx(np.sqrt(7 / 8)) and rank == pytest.approx(8, rel=1e-3)
    std, rank = feature_spread(torch.tensor([[1.0, 2.0]]) * torch.tensor([[1.0], [-1.0]] * 4))
    assert std == pytest.approx(1) and rank == pytest.approx(1, rel=1e-3)
    assert feature_spread(torch.ones(8, 3)) == pytest.approx((0, 1), abs=1e-4)


def test_in_training(load_cfg, build, tmp_path):
    """A line an epoch; the warning comes when there is reason, and once; weights are those of a
    training that no hook looks at, bit by bit."""
    runner = build(load_cfg(tmp_path / 'watched', OPTIONS, 'mamp'))
    runner.train()
    rows = read_rows(tmp_path / 'watched')
    assert [row['epoch'] for row in rows if 'feature_std' in row] == [1, 2]
    assert all(row['feature_std'] > 0.1 and row['feature_rank'] > 2 for row in rows)
    assert 'collapsed' not in read_log(tmp_path / 'watched')

    cfg = load_cfg(tmp_path / 'not', OPTIONS, 'mamp')
    for name in ('collapse', 'non_finite'):
        cfg.default_hooks[name] = None
    alone = build(cfg)
    assert not any(isinstance(hook, (CollapseHook, NonFiniteHook)) for hook in alone.hooks)
    alone.train()
    torch.testing.assert_close(runner.model.state_dict(), alone.model.state_dict(), rtol=0, atol=0)

    alike = build(load_cfg(tmp_path / 'alike', OPTIONS, 'mamp'))
    torch.nn.init.zeros_(alike.model.backbone.norm.weight.requires_grad_(False))
    torch.nn.init.ones_(alike.model.backbone.norm.bias)
    alike.train()
    assert read_rows(tmp_path / 'alike')[-1]['feature_std'] < 1e-3
    log = read_log(tmp_path / 'alike')
    assert log.count('The features have collapsed') == 1 and 'in epoch 1 have' in log


def test_features_that_are_no_numbers(load_cfg, build, tmp_path):
    """They end the run by their own error."""
    runner = build(load_cfg(tmp_path, {**OPTIONS, 'optim_wrapper.optimizer.lr': 1e38}, 'mamp'))
    with pytest.raises(FloatingPointError):
        runner.train()


def read_rows(work_dir) -> list[dict]:
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    return [row for row in map(json.loads, path.read_text().splitlines()) if 'loss' in row]


def read_log(work_dir) -> str:
    (path,) = work_dir.glob('*/*.log')
    return path.read_text()
