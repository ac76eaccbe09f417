"""A staged recipe so small that a stage trains in a second."""

import gc
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import HOOKS, RUNNERS
from mmaction.visualization import ActionVisualizer
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

ROOT = Path(__file__).resolve().parents[2]
NUM_TRAIN, NUM_VAL = 21, 11  # no multiples of a batch, nor of two processes

COMMON = """
_base_ = ['{configs}/_base_/schedules/{schedule}.py', '{configs}/_base_/default_runtime.py']
backbone = dict(type='SkeletonTransformer', embed_dims=16, depth=2, num_heads=2,
                num_frames=8, num_joints=5, tubelet_size=2)
center = [dict(type='CenterSkeleton', center_joint=1)]
crop = [
    dict(type='TemporalCropResize', clip_len=8, p_interval=(0.5, 1.0), min_frames=6),
    dict(type='RandomRot', theta=0.3)]
pack = [
    dict(type='FormatGCNInput', num_person=2, mode='zero'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir'))]
test_pipeline = center + [dict(type='TemporalCropResize', clip_len=8, p_interval=0.95)] + pack


def loader(split, shuffle=False, **dataset):
    return dict(
        batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=shuffle),
        dataset=dict(type='SkeletonDataset', ann_file={ann_file!r}, num_classes=3,
                     split=split, **dataset))


train_dataloader = dict(loader('xsub_train', shuffle=True), drop_last=True)
bank_dataloader = loader('xsub_train', pipeline=test_pipeline, test_mode=True)
val_dataloader = loader('xsub_val', pipeline=test_pipeline, test_mode=True)
test_dataloader = val_dataloader
val_cfg = dict(type='FeatureValLoop', bank_dataloader=bank_dataloader)
test_cfg = dict(type='FeatureTestLoop', bank_dataloader=bank_dataloader)
knn = dict(type='KNNMetric', topk_neighbors=(1, 3))
val_evaluator = [knn, dict(type='KNNMetric', topk_neighbors=(5, ), temperature=0.1)]
test_evaluator = [knn, dict(type='ClusterMetric')]
train_cfg = dict(max_epochs=4, val_interval=4)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=4))
auto_scale_lr = dict(base_batch_size=4)
"""
MAMP = """
model = dict(type='MAMP', backbone=backbone, head=dict(type='MAMPHead'), mask_ratio=0.75,
             neck=dict(type='MAMPDecoder', embed_dims=16, depth=1, num_heads=2))
train_dataloader['dataset']['pipeline'] = center + crop + pack
iterations = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(iterations, type='LinearWarmupLR', begin=0, end=1),
    dict(iterations, type='CosineAnnealingLR', eta_min_ratio=0.5, begin=1, end=4)]
"""
STARS = """
model = dict(type='STARS', backbone=backbone, head=dict(
    type='NNCLRHead', in_channels=16, hidden_channels=32, queue_size=20, topk=2))
train_dataloader['dataset']['pipeline'] = center + [
    dict(type='MultiView', num_views=2, transforms=crop), *pack]
optim_wrapper = dict(paramwise_cfg=dict(num_trainable_layers=1))
stages = [dict(name='pretrain', config='stage1/mamp.py', options=dict())]
"""


@pytest.fixture(scope='session', autouse=True)
def quick_runner():
    """Leaves out what costs more than the training of a tiny model."""
    patch = pytest.MonkeyPatch()
    # asks compilers and drivers for their versions
    patch.setattr(Runner, '_log_env', lambda self, env_cfg: None)
    # lays out each copy of a config
    for module in ('mmengine.config.config', 'yapf.yapflib.yapf_api'):  # by the fork
        patch.setattr(f'{module}.FormatCode', lambda text, **kwargs: (text, True), raising=False)
    gc.collect()
    gc.freeze()  # each data set collects garbage
    yield
    gc.unfreeze()
    patch.undo()


@pytest.fixture(scope='session')
def write_ann_file() -> Callable[..., str]:
    """Writes clips of three classes that wave at different speeds, noisily."""

    def _write(path: Path, num_joints=5, num_channels=3, num_persons=2) -> str:
        rng = np.random.default_rng(0)
        names = [f'clip{i}' for i in range(NUM_TRAIN + NUM_VAL)]
        annotations = []
        for i, name in enumerate(names):
            clip = dict(frame_dir=name, label=i % 3, total_frames=12 + i % 5)
            wave = np.sin(rng.uniform(0, 6) + (1 + i % 3) * np.arange(clip['total_frames']) / 3)
            keypoint = rng.normal(size=(1 + i % num_persons, 1, num_joints, num_channels))
            keypoint = keypoint + wave[:, None, None]
            keypoint += 0.5 * rng.normal(size=keypoint.shape)
            annotations.append(dict(clip, keypoint=keypoint.astype(np.float32)))
        split = dict(xsub_train=names[:NUM_TRAIN], xsub_val=names[NUM_TRAIN:])
        path.write_bytes(pickle.dumps(dict(split=split, annotations=annotations)))
        return str(path)

    return _write


@pytest.fixture(scope='session')
def ann_file(write_ann_file, tmp_path_factory) -> str:
    return write_ann_file(tmp_path_factory.mktemp('data') / 'tiny.pkl')


@pytest.fixture(scope='session')
def recipe(tmp_path_factory, ann_file) -> Path:
    """The config ``stars.py``, which names ``stage1/mamp.py``."""
    folder = tmp_path_factory.mktemp('recipe')
    (folder / 'stage1').mkdir()
    for path, text, schedule in (
        ('stage1/mamp.py', MAMP, 'mamp_adamw_8xb16-400e'),
        ('stars.py', STARS, 'stars_adamw_8xb16-20e'),
    ):
        names = dict(configs=ROOT / 'configs', schedule=schedule, ann_file=ann_file)
        (folder / path).write_text((COMMON + text).format(**names))
    return folder / 'stars.py'


@pytest.fixture(scope='session')
def load_cfg(recipe) -> Callable[..., Config]:
    """Reads ``stars`` or ``mamp``, with options as from ``--cfg-options``."""

    def _load(work_dir: Path, options: dict = {}, name='stars') -> Config:
        path = recipe if name == 'stars' else recipe.parent / 'stage1/mamp.py'
        cfg = Config.fromfile(path)
        cfg.work_dir = str(work_dir)
        cfg.merge_from_dict(dict(options))
        return cfg

    return _load


@pytest.fixture(scope='session')
def build() -> Callable[[Config], Runner]:
    """Builds a runner as ``train.py`` does, in what is a new process to
    mmengine's global instances."""

    def _build(cfg: Config) -> Runner:
        for manager in (MMLogger, MessageHub, Visualizer, ActionVisualizer, DefaultScope):
            manager._instance_dict.clear()
        return RUNNERS.build(cfg)

    return _build


@pytest.fixture(scope='session')
def trained(load_cfg, build, tmp_path_factory) -> Path:
    """Work directory of the whole recipe, seed 0, not interrupted."""
    work_dir = tmp_path_factory.mktemp('trained')
    build(load_cfg(work_dir, {'randomness.seed': 0})).train()
    return work_dir


@pytest.fixture(scope='session')
def assert_same_run() -> Callable[[Path, Path], None]:
    """Compares the weights, buffers and optimizers of two runs' ends, bit by bit."""

    def _assert(work_dir: Path, other: Path, epoch: int = 4) -> None:
        ours, theirs = (torch.load(path / f'epoch_{epoch}.pth') for path in (work_dir, other))
        for key in ('state_dict', 'optimizer'):
            torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=0)

    return _assert


@HOOKS.register_module(force=True)
class Interrupt(Hook):
    """Stops a run as Ctrl-C does, in the midst of an epoch."""

    def __init__(self, epoch: int, batch_idx: int = 2) -> None:
        self.place = epoch, batch_idx

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if (runner.epoch, batch_idx) == self.place:
            raise KeyboardInterrupt
