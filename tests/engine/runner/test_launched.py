"""The staged recipe as users start it: our tools, and mmaction2's own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import mmaction
import pytest

pytestmark = pytest.mark.slow
STOCK = Path(mmaction.__file__).parent / '.mim/tools'


@pytest.fixture
def run(repo_root, tmp_path):
    """Runs a command in a foreign folder, on the CPU."""

    def _run(*command) -> None:
        paths = [str(repo_root), *filter(None, sys.path)]
        env = dict(
            os.environ,
            PYTHON=sys.executable,
            CUDA_VISIBLE_DEVICES='',
            OMP_NUM_THREADS='1',
            PYTHONPATH=os.pathsep.join(paths),
        )
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=tmp_path,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=500)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode == 0, output[-3000:]

    return _run


def knn(work_dir: Path) -> dict:
    """The kNN accuracies that a run wrote down last."""
    files = [*work_dir.glob('2*/2*.json'), *work_dir.glob('2*/vis_data/scalars.json')]
    lines = [json.loads(line) for path in sorted(files) for line in path.read_text().splitlines()]
    (found,) = [line for line in lines if 'knn/top1_k1' in line]
    return {key: value for key, value in found.items() if key[:4] == 'knn/'}


def test_train_on_two_processes_and_test(recipe, repo_root, run, tmp_path):
    """Validation on two processes, our test and mmaction2's agree."""
    run(
        'bash',
        repo_root / 'tools/dist_train.sh',
        recipe,
        2,
        '--work-dir',
        'run',
        '--cfg-options',
        'train_cfg.max_epochs=2',
        'train_cfg.val_interval=2',
        'stages.0.options.train_cfg.max_epochs=3',
    )
    work_dir = tmp_path / 'run'
    assert sorted(path.name for path in work_dir.rglob('epoch_*.pth')) == [
        'epoch_1.pth',
        'epoch_1.pth',
        'epoch_2.pth',
        'epoch_2.pth',
        'epoch_3.pth',
    ]
    validated = knn(work_dir)
    assert set(validated) == {'knn/top1_k1', 'knn/top1_k3'}
    for name, tools in (('ours', repo_root / 'tools'), ('stock', STOCK)):
        run(sys.executable, tools / 'test.py', recipe, work_dir / 'epoch_2.pth', '--work-dir', name)
        assert knn(tmp_path / name) == pytest.approx(validated, abs=1e-4)


def test_stock_train_runs_all_stages(recipe, run, trained, tmp_path, assert_same_run):
    run(sys.executable, STOCK / 'train.py', recipe, '--work-dir', 'run')
    assert_same_run(tmp_path / 'run/pretrain', trained / 'pretrain')
    assert_same_run(tmp_path / 'run', trained)
