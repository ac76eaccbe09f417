"""A recipe so small that all of it takes seconds."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.cli import test, train
from stars_mm.cli.main import parse_command
from stars_mm.cli.running import build_runner
from stars_mm.preparation.annotation_file import save_annotations

COMMON = """
_base_ = ['{configs}/_base_/default_runtime.py']
backbone = dict(type='SkeletonTransformer', embed_dims=16, depth=1,
                num_heads=2, num_frames=8, num_joints=9)
steps = [
    dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
    dict(type='TemporalCropResize', clip_len=8, p_interval=0.95)]
pipeline = steps + [
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir'))]


def loader(split, **kwargs):
    return dict(
        batch_size=8, num_workers=0, persistent_workers=False,
        sampler=dict(type='DefaultSampler', shuffle=kwargs.pop('shuffle', False)),
        dataset=dict(type='SkeletonDataset', ann_file='{folder}/tiny.pkl', split=split,
                     num_classes=3, pipeline=pipeline),
        **kwargs)


train_dataloader = loader('xsub_train', shuffle=True, drop_last=True)
val_dataloader = loader('xsub_val')
test_dataloader = loader('xsub_val')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-2))
param_scheduler = []
train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=3))
"""
FEATURES = """
bank = loader('xsub_train')
val_cfg = dict(type='FeatureValLoop', bank_dataloader=bank)
test_cfg = dict(type='FeatureTestLoop', bank_dataloader=bank)
val_evaluator = test_evaluator = [dict(type='KNNMetric', topk_neighbors=(1, 3))]
"""
PRETRAIN = """
model = dict(type='MAMP', backbone=backbone, head=dict(type='MAMPHead'),
             neck=dict(type='MAMPDecoder', embed_dims=16, depth=1, num_heads=2))
"""
RECIPE = """
stages = [dict(name='pretrain', config='stage1.py', options=dict())]
model = dict(type='STARS', backbone=backbone,
             head=dict(type='NNCLRHead', in_channels=16, hidden_channels=8, queue_size=16))
protocols = dict(linear='linear.py', semi='linear.py', transfer='linear.py', finetune='gone.py')
"""
LINEAR = """
model = dict(type='RecognizerGCN', backbone=backbone,
             cls_head=dict(type='LinearProbeHead', num_classes=3, in_channels=16))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = test_evaluator = dict(type='AccMetric')
auto_scale_lr = dict(base_batch_size=16)
"""
CONFIGS = {'stage1.py': FEATURES + PRETRAIN, 'recipe.py': FEATURES + RECIPE, 'linear.py': LINEAR}


@pytest.fixture(autouse=True)
def quick_dump(monkeypatch):
    """Laying out a config takes longer than training this model."""
    for module in ('mmengine.config.config', 'yapf.yapflib.yapf_api'):  # by the fork
        monkeypatch.setattr(
            f'{module}.FormatCode', lambda text, **kwargs: (text, True), raising=False
        )


def write_clips(path: Path) -> None:
    """40 clips to train on and 21 to test, of three classes."""
    rng, clips = np.random.default_rng(0), []
    for i in range(61):
        wave = np.sin((1 + i % 3) * np.arange(12) / 3 + rng.uniform(0, 6))
        keypoint = rng.normal(size=(1, 1, 9, 3)) + wave[:, None, None]
        keypoint = (keypoint + 0.3 * rng.normal(size=keypoint.shape)).astype(np.float32)
        clips.append(dict(frame_dir=f'clip{i}', label=i % 3, total_frames=12, keypoint=keypoint))
    names = [clip['frame_dir'] for clip in clips]
    splits = dict(xsub_train=names[:40], xsub_val=names[40:])
    save_annotations(str(path), clips, splits, class_names=['walk', 'sit', 'wave'])


@pytest.fixture(scope='session')
def save_model():
    return _save_model


def _save_model(config: Path, path: Path, draw: int, **meta) -> None:
    """Untrained weights, drawn by the seed ``draw``, as mmengine leaves them."""
    torch.manual_seed(draw)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)


@pytest.fixture(scope='session')
def make_recipe(repo_root):
    """``make_recipe(folder)``: writes clips, ``stage1.py``, ``recipe.py``, ``linear.py`` there."""

    def _make(folder: Path) -> Path:
        write_clips(folder / 'tiny.pkl')
        for name, text in CONFIGS.items():
            text = (COMMON + text).format(configs=repo_root / 'configs', folder=folder)
            (folder / name).write_text(text)
        return folder

    return _make


@pytest.fixture(scope='session')
def recipe(make_recipe, tmp_path_factory) -> Path:
    """A recipe's folder with an encoder, ``epoch_4.pth``; not to be changed."""
    folder = make_recipe(tmp_path_factory.mktemp('recipe'))
    _save_model(folder / 'recipe.py', folder / 'epoch_4.pth', 3, epoch=4, iter=20, seed=5)
    return folder


@pytest.fixture
def run_in_process():
    """Takes the place of ``run_tool``: the same command line, without a process of its own."""
    commands = {'train.py': train, 'test.py': test}
    count = itertools.count()

    def _run(name: str, arguments: list, log: Path, num_processes: int = 1) -> None:
        command, name = commands[name], name.removesuffix('.py')
        cfg = command.load_config(parse_command(name, [str(argument) for argument in arguments]))
        cfg.experiment_name = f'{log.parent.name}_{next(count)}'  # its own log
        getattr(build_runner(cfg), name)()

    return _run
