"""The staged recipe as users start it: our tools, and mmaction2's own."""

import json
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def knn(work_dir: Path) -> dict:
    """The kNN accuracies that a run wrote down last."""
    files = [*work_dir.glob('2*/2*.json'), *work_dir.glob('2*/vis_data/scalars.json')]
    lines = [json.loads(line) for path in sorted(files) for line in path.read_text().splitlines()]
    (found,) = [line for line in lines if 'knn/top1_k1' in line]
    return {key: value for key, value in found.items() if key[:4] == 'knn/'}


def test_train_on_two_processes_and_test(recipe, repo_root, run_command, stock_tool, tmp_path):
    """Validation on two processes, our test and mmaction2's agree."""
    options = ['train_cfg.max_epochs=2', 'train_cfg.val_interval=2']
    options += ['stages.0.options.train_cfg.max_epochs=3']
    command = ['bash', repo_root / 'tools/dist_train.sh', recipe, 2, '--work-dir', 'run']
    run_command(*command, '--cfg-options', *options)
    work_dir = tmp_path / 'run'
    assert len(list(work_dir.glob('epoch_*.pth'))) == 2
    assert len(list(work_dir.glob('pretrain/epoch_*.pth'))) == 3
    validated = knn(work_dir)
    assert set(validated) == {'knn/top1_k1', 'knn/top1_k3'}
    tools = dict(ours=[repo_root / 'tools/test.py'], stock=stock_tool('test.py'))
    for name, tool in tools.items():
        command = [sys.executable, *tool, recipe, work_dir / 'epoch_2.pth']
        run_command(*command, '--work-dir', name)
        assert knn(tmp_path / name) == pytest.approx(validated, abs=1e-4)


def test_stock_train_runs_all_stages(
    recipe, run_command, stock_tool, trained, tmp_path, assert_same_run
):
    run_command(sys.executable, *stock_tool('train.py'), recipe, '--work-dir', 'run')
    assert_same_run(tmp_path / 'run/pretrain', trained / 'pretrain')
    assert_same_run(tmp_path / 'run', trained)
