"""The study of tuning from its command to its table, on a tiny recipe."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from stars_mm.preparation.annotation_file import save_annotations

COMMON = """
_base_ = ['{configs}/_base_/datasets/ntu60-xsub.py',
          '{configs}/_base_/schedules/{schedule}.py',
          '{configs}/_base_/default_runtime.py']
backbone = dict(type='SkeletonTransformer', embed_dims=16, depth=1,
                num_heads=2, num_frames=8, num_joints=9)
pipeline = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=8, p_interval=0.95),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir'))]
data = dict(batch_size=4, num_workers=0, persistent_workers=False,
            dataset=dict(ann_file={ann_file!r}, num_classes=3,
                         pipeline=pipeline))
train_dataloader = data
val_dataloader = data
test_dataloader = data
val_cfg = dict(bank_dataloader=data)
test_cfg = dict(bank_dataloader=data)
val_evaluator = [dict(type='KNNMetric', topk_neighbors=(1, 3))]
test_evaluator = val_evaluator
param_scheduler = []
"""
STAGE_1 = (
    COMMON
    + """
model = dict(
    type='MAMP', backbone=backbone, head=dict(type='MAMPHead'),
    neck=dict(type='MAMPDecoder', embed_dims=16, depth=1, num_heads=2))
train_cfg = dict(max_epochs=2, val_interval=2)
"""
)
STAGE_2 = (
    COMMON
    + """
stages = [dict(name='pretrain', config='stage1.py', options=dict())]
model = dict(
    type='STARS', backbone=backbone,
    head=dict(type='NNCLRHead', in_channels=16, hidden_channels=8,
              queue_size=8))
optim_wrapper = dict(paramwise_cfg=dict(num_trainable_layers=1))
train_cfg = dict(max_epochs=1, val_interval=1)
"""
)


@pytest.fixture
def recipe(repo_root, tmp_path):
    """Config of 24 clips to train on and 12 to test, of three classes."""
    rng = np.random.default_rng(0)
    clips = []
    for i in range(36):
        wave = np.sin((1 + i % 3) * np.arange(12) / 3 + rng.uniform(0, 6))
        keypoint = rng.normal(size=(1, 1, 9, 3)) + wave[:, None, None]
        clips.append(
            dict(
                frame_dir=f'clip{i}',
                label=i % 3,
                total_frames=12,
                keypoint=keypoint.astype(np.float32),
            )
        )
    names = [clip['frame_dir'] for clip in clips]
    save_annotations(
        str(tmp_path / 'tiny.pkl'), clips, dict(xsub_train=names[:24], xsub_val=names[24:])
    )
    for name, text, schedule in (
        ('stage1', STAGE_1, 'mamp_adamw_8xb16-400e'),
        ('stars', STAGE_2, 'stars_adamw_8xb16-20e'),
    ):
        (tmp_path / f'{name}.py').write_text(
            text.format(
                configs=repo_root / 'configs',
                schedule=schedule,
                ann_file=str(tmp_path / 'tiny.pkl'),
            )
        )
    return tmp_path / 'stars.py'


@pytest.fixture
def study(repo_root, recipe, tmp_path):
    """Runs the tool; gives its folder."""

    def _study(*options):
        done = subprocess.run(
            [
                sys.executable,
                repo_root / 'tools/analysis/tuning_study.py',
                'study',
                '--configs',
                recipe,
                *options,
            ],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            env=dict(
                os.environ,
                OMP_NUM_THREADS='1',
                CUDA_VISIBLE_DEVICES='',
                PYTHONPATH=os.pathsep.join([str(repo_root), *filter(None, sys.path)]),
            ),
        )
        return done, tmp_path / 'study'

    return _study


def test_a_start_half_the_clips_and_half_of_stage_1(study):
    options = ('--seeds', '3', '--fractions', '0.5', '--progress', '0.5')
    done, folder = study(*options)
    assert done.returncode == 0, done.stderr[-3000:]
    (row,) = json.loads((folder / 'results.json').read_text())
    assert (row['config'], row['seed'], row['clips']) == ('stars', 3, 12)
    assert set(row['before']) == set(row['after']) == {'knn_top1', 'silhouette', 'nmi', 'ari'}
    # Of 12 query clips and as many of the draw, in percent.
    for percent in (row['purity'], row['after']['knn_top1']):
        assert percent * 12 / 100 == pytest.approx(round(percent * 12 / 100), abs=1e-2)
    # The iterations of all clips: 2 epochs of 6 became 4 of 3.
    assert (folder / 'data-0.5_seed-3/pretrain/epoch_4.pth').is_file()
    # Curve: after each of the 3 iterations of the 2 epochs of stage 2.
    assert [step for step, _ in row['curve']] == [3, 6]
    assert '| stars | 50% | 50% | 1 |' in done.stdout
    with Image.open(folder / 'tuning.png') as image:
        assert min(image.size) > 300

    times = {
        path: path.stat().st_mtime_ns
        for path in folder.rglob('*')
        if path.suffix in ('.pth', '.log')
    }
    done, _ = study(*options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_a_share_that_is_no_share(repo_root, tmp_path, capsys):
    path = repo_root / 'tools/analysis/tuning_study.py'
    spec = importlib.util.spec_from_file_location('tuning_study', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(SystemExit):
        module.main([str(tmp_path / 'study'), '--configs', 'stars.py', '--progress', '33'])
    assert '--progress 33.0: must lie in (0, 1]' in capsys.readouterr().err
    assert not (tmp_path / 'study').exists()
