"""Feature metrics in two processes by torchrun, and in one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

EVALUATOR = """
_base_ = [{recipe!r}]
test_evaluator = [
    dict(type='KNNMetric', topk_neighbors=(1, 3)),
    dict(type='KNNMetric', topk_neighbors=(5, 10), temperature=0.1),
    dict(type='FewShotMetric', shots=(1, 3), episodes=10),
    dict(type='ClusterMetric')]
"""


@pytest.fixture
def test(repo_root, recipe, trained, tmp_path):
    """Runs tools/dist_test.sh; gives the metrics and the work directory."""
    (tmp_path / 'test.py').write_text(EVALUATOR.format(recipe=str(recipe)))

    def _test() -> tuple:
        work_dir = tmp_path / 'two'
        done = subprocess.run(
            [
                'bash',
                str(repo_root / 'tools/dist_test.sh'),
                'test.py',
                str(trained / 'epoch_4.pth'),
                '2',
                '--work-dir',
                str(work_dir),
            ],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            timeout=300,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=dict(
                os.environ,
                PYTHON=sys.executable,
                OMP_NUM_THREADS='1',
                CUDA_VISIBLE_DEVICES='',
                PYTHONPATH=os.pathsep.join([str(repo_root), *filter(None, sys.path)]),
            ),
        )
        assert done.returncode == 0, done.stdout[-3000:]
        (found,) = work_dir.glob('2*/2*.json')
        return json.loads(found.read_text()), work_dir

    return _test


def exemplars(work_dir: Path) -> str:
    return (work_dir / 'fewshot_exemplars.json').read_text()


def test_two_processes_give_the_same(test, trained, build, tmp_path):
    """21 clips of the bank and 11 of the query: neither is even, and the last
    batches are padded."""
    two, its_dir = test()
    cfg = Config.fromfile(tmp_path / 'test.py')
    cfg.work_dir = str(tmp_path / 'one')
    cfg.load_from = str(trained / 'epoch_4.pth')
    one = build(cfg).test()
    assert set(one) == {
        'knn/top1_k1',
        'knn/top1_k3',
        'knn_weighted/top1_k5',
        'knn_weighted/top1_k10',
        'cluster/nmi',
        'cluster/ari',
        'cluster/silhouette',
        'cluster/distance_ratio',
        *(
            f'fewshot/{kind}_{shots}shot{what}'
            for what in ('', '_ci95')
            for kind in ('exemplar', 'mean')
            for shots in (1, 3)
        ),
    }
    for key, value in one.items():
        # batches of other clips round features differently
        assert two[key] == pytest.approx(value, rel=1e-5, abs=1e-6), key
    assert exemplars(its_dir) == exemplars(tmp_path / 'one')
