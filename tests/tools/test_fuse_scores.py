"""From mmaction2's own test.py to the fused accuracy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from stars_mm.datasets import save_annotations
from stars_mm.evaluation.functional.fusion import ClassScores
from stars_mm.evaluation.score_files import read_scores, write_scores

TOOL = Path(__file__).parents[2] / 'tools/analysis/fuse_scores.py'
STOCK = Path(mmaction.__file__).parent / '.mim/tools/test.py'


@pytest.fixture
def run(repo_root, tmp_path):

    def _run(*command):
        env = dict(
            os.environ,
            OMP_NUM_THREADS='1',
            CUDA_VISIBLE_DEVICES='',
            PYTHONPATH=os.pathsep.join([str(repo_root), *sys.path]),
        )
        result = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr[-2000:]
        return result.stdout

    return _run


def test_table_json_and_fused_file(run, tmp_path):
    names, labels = [f'clip{i}' for i in range(40)], torch.arange(40) % 7
    truth = torch.nn.functional.one_hot(labels, 7).float()
    for stream in ('joint', 'bone'):
        write_scores(
            tmp_path / f'{stream}.npz',
            ClassScores(names, truth + 0.6 * torch.randn(40, 7), labels, stream),
        )
    shown = run(
        TOOL,
        'joint.npz',
        'bone.npz',
        '--weights',
        '1',
        '0.5',
        '--json',
        'fused.json',
        '--out',
        'fused.npz',
    )
    found = json.loads((tmp_path / 'fused.json').read_text())
    assert list(found) == ['joint.npz', 'bone.npz', 'fused', 'meta']
    assert found['meta'] == dict(clips=40, weights=[1.0, 0.5], softmax=False)
    fused = read_scores(tmp_path / 'fused.npz')
    expected = (
        read_scores(tmp_path / 'joint.npz').scores + 0.5 * read_scores(tmp_path / 'bone.npz').scores
    )
    torch.testing.assert_close(fused.scores.float(), expected)
    hits = (expected.argmax(1) == labels).float().mean().item() * 100
    assert found['fused']['top1'] == pytest.approx(hits)
    assert f'{hits:.2f}' in shown.splitlines()[-1]


TINY = """
_base_ = ['{configs}/_base_/datasets/nw-ucla.py',
          '{configs}/_base_/default_runtime.py']
model = dict(
    type='STARS',
    backbone=dict(type='SkeletonTransformer', embed_dims=8, depth=1,
                  num_heads=1, num_frames=64, num_joints=20, tubelet_size=16),
    head=dict(type='NNCLRHead', in_channels=8, hidden_channels=8,
              queue_size=8))
train_dataloader = val_dataloader = val_cfg = val_evaluator = None
test_dataloader = dict(dataset=dict(ann_file={ann_file!r}))
test_cfg = dict(bank_dataloader=dict(dataset=dict(ann_file={ann_file!r})))
"""


def test_dump_of_mmactions_test_tool(run, tmp_path, repo_root):
    rng = np.random.default_rng(0)
    names = [f'clip{i}' for i in range(30)]
    save_annotations(
        str(tmp_path / 'tiny.pkl'),
        [
            dict(
                frame_dir=name,
                label=i % 3,
                total_frames=9,
                keypoint=rng.normal(i % 3, 2, (1, 9, 20, 3)).astype(np.float32),
            )
            for i, name in enumerate(names)
        ],
        dict(xview_train=names[:20], xview_val=names[20:]),
    )
    config = tmp_path / 'tiny.py'
    config.write_text(
        TINY.format(configs=repo_root / 'configs', ann_file=str(tmp_path / 'tiny.pkl'))
    )
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')

    run(STOCK, config, 'model.pth', '--dump', 'scores.pkl')
    assert (tmp_path / 'scores.pkl').stat().st_size < 30 * 2000
    run(TOOL, 'scores.pkl', 'scores.pkl', '--json', 'fused.json')
    found = json.loads((tmp_path / 'fused.json').read_text())
    (reported,) = [
        json.loads(path.read_text()) for path in (tmp_path / 'work_dirs').rglob('2*.json')
    ]
    assert found['meta']['clips'] == 10
    assert found['scores.pkl']['top1'] == pytest.approx(reported['knn/top1_k1'], abs=1e-3)
    assert found['fused'] == pytest.approx(found['scores.pkl'])
