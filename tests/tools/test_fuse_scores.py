"""From mmaction2's own test.py to the fused accuracy."""

import importlib.util
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

from stars_mm.evaluation.functional.fusion import ClassScores
from stars_mm.evaluation.score_files import read_scores, write_scores
from stars_mm.preparation.annotation_file import save_annotations

STOCK = Path(mmaction.__file__).parent / '.mim/tools/test.py'


@pytest.fixture
def fuse_scores(repo_root, tmp_path, monkeypatch):
    """``fuse_scores('a.pkl b.pkl --weights 1 2')``: runs the tool where the files are."""
    path = repo_root / 'tools/analysis/fuse_scores.py'
    spec = importlib.util.spec_from_file_location('fuse_scores', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    return lambda command: module.main(command.split())


def test_table_json_and_fused_file(fuse_scores, tmp_path, capsys):
    names, labels = [f'clip{i}' for i in range(40)], torch.arange(40) % 7
    truth = torch.nn.functional.one_hot(labels, 7).float()
    for stream in ('joint', 'bone'):
        scores = ClassScores(names, truth + 0.6 * torch.randn(40, 7), labels, stream)
        write_scores(tmp_path / f'{stream}.npz', scores)
    fuse_scores('joint.npz bone.npz --weights 1 0.5 --json fused.json --out fused.npz')
    found = json.loads((tmp_path / 'fused.json').read_text())
    assert list(found) == ['joint.npz', 'bone.npz', 'fused', 'meta']
    assert found['meta'] == dict(clips=40, weights=[1.0, 0.5], softmax=False)
    joint, bone, fused = (
        read_scores(tmp_path / f'{name}.npz').scores for name in ('joint', 'bone', 'fused')
    )
    torch.testing.assert_close(fused.float(), joint + 0.5 * bone)
    hits = (fused.argmax(1) == labels).float().mean().item() * 100
    assert found['fused']['top1'] == pytest.approx(hits)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '| scores | top1 | top5 | mean_class |'
    assert lines[-1].startswith(f'| fused | {hits:.2f} |')
    fuse_scores('joint.npz bone.npz --softmax --out fused.npz')
    fused = read_scores(tmp_path / 'fused.npz').scores.float()
    torch.testing.assert_close(fused, joint.softmax(1) + bone.softmax(1))


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


@pytest.mark.slow
def test_dump_of_mmactions_test_tool(fuse_scores, tmp_path, repo_root):
    rng = np.random.default_rng(0)
    names = [f'clip{i}' for i in range(30)]
    clips = []
    for i, name in enumerate(names):
        keypoint = rng.normal(i % 3, 2, (1, 9, 20, 3)).astype(np.float32)
        clips.append(dict(frame_dir=name, label=i % 3, total_frames=9, keypoint=keypoint))
    splits = dict(xview_train=names[:20], xview_val=names[20:])
    save_annotations(str(tmp_path / 'tiny.pkl'), clips, splits)
    config = tmp_path / 'tiny.py'
    config.write_text(
        TINY.format(configs=repo_root / 'configs', ann_file=str(tmp_path / 'tiny.pkl'))
    )
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')

    paths = os.pathsep.join([str(repo_root), *sys.path])
    env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHONPATH=paths)
    command = [sys.executable, STOCK, config, 'model.pth', '--dump', 'scores.pkl']
    subprocess.run(command, cwd=tmp_path, env=env, check=True)
    assert (tmp_path / 'scores.pkl').stat().st_size < 30 * 2000
    fuse_scores('scores.pkl scores.pkl --json fused.json')
    found = json.loads((tmp_path / 'fused.json').read_text())
    (log,) = (tmp_path / 'work_dirs').rglob('2*.json')
    reported = json.loads(log.read_text())['knn/top1_k1']
    assert found['meta']['clips'] == 10
    assert found['scores.pkl']['top1'] == pytest.approx(reported, abs=1e-3)
    assert found['fused'] == pytest.approx(found['scores.pkl'])
