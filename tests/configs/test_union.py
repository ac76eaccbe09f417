"""Several data sets at once: the base config, on made-up clips of each set's joints."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from stars_mm.engine.runner.checks import check_ann_files, check_dataset
from stars_mm.preparation.annotation_file import save_annotations
from stars_mm.preparation.layouts import get_layout

CONFIGS = Path(__file__).parents[2] / 'configs'
#: File → layout and clips.
SETS = {
    'nw-ucla': ('kinect-20', 12),
    'utd-mhad': ('kinect-20', 8),
    'kard': ('kard-15', 6),
    'cad60': ('cad60-15', 20),
    'bandai-namco': ('bandai-namco-21', 5),
}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('LEFT_OUT', raising=False)
    rng = np.random.default_rng(0)
    for name, (layout, count) in SETS.items():
        layout = get_layout(layout)
        clips = [
            dict(
                frame_dir=f'{name}_{n}',
                label=n % 3,
                total_frames=30 + n,
                keypoint=rng.normal(size=(1, 30 + n, layout.num_joints, 3)).astype(np.float32),
            )
            for n in range(count)
        ]
        names = [clip['frame_dir'] for clip in clips]
        view = 'xview' if name == 'nw-ucla' else 'xsub'
        splits = {f'{view}_train': names[:-3], f'{view}_val': names[-3:]}
        save_annotations(f'data/skeleton/{name}.pkl', clips, splits, skeleton=layout.to_dict())
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture
def read():
    """The base config with a small model of a stage, as stage 1 and 2 have it."""

    def _read(stage: str) -> Config:
        path = Path(f'{stage}.py')
        path.write_text(f"""
_base_ = ['{CONFIGS}/_base_/models/{stage}_vit-8l-256d.py',
          '{CONFIGS}/_base_/datasets/union.py', '{CONFIGS}/_base_/default_runtime.py']
model = dict(backbone=dict(embed_dims=16, depth=1, num_heads=2, num_frames=64,
                           num_joints=_base_.num_joints, tubelet_size=16))
{
            '''
model.update(neck=dict(embed_dims=16, depth=1, num_heads=2), mask_ratio=0.8)
'''
            if stage == 'mamp'
            else '''
model.update(head=dict(in_channels=16, hidden_channels=16, queue_size=64))
'''
        }
""")
        return Config.fromfile(path)

    return _read


@pytest.mark.parametrize('stage', ['mamp', 'stars'])
def test_a_step_of_all_sets(read, stage):
    cfg = read(stage)
    model = MODELS.build(cfg.model)
    cfg.train_dataloader.update(batch_size=40)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    check_ann_files(cfg)
    check_dataset(loader.dataset, model, cfg)
    sizes = [9, 5, 3, 17, 5]  # the training clips, and all of Bandai-Namco's
    assert [len(one) for one in loader.dataset.datasets] == sizes
    shares = np.sqrt(sizes) * sum(sizes) / np.sqrt(sizes).sum()
    np.testing.assert_allclose(loader.sampler.counts, shares, atol=1)
    cfg.train_dataloader.update(batch_size=len(loader.sampler))
    (batch,) = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    assert batch['inputs'][0].shape == (1, 1, 64, 15, 3)
    seen = [sample.frame_dir.split('_')[0] for sample in batch['data_samples']]
    assert {name: seen.count(name) for name in SETS} == dict(zip(SETS, loader.sampler.counts))
    names = {sample.sample_idx: sample.frame_dir for sample in batch['data_samples']}
    assert len(names) == len(set(names.values()))  # no two clips have one number
    optimizer = build_optim_wrapper(
        model, dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
    )
    losses = model.train_step(batch, optimizer)
    assert torch.as_tensor(losses['loss']).isfinite()


def test_the_set_that_is_left_out_judges(read, monkeypatch):
    cfg = read('mamp')
    assert cfg.test_dataloader.dataset.ann_file == 'data/skeleton/nw-ucla.pkl'
    monkeypatch.setenv('LEFT_OUT', 'kard')
    cfg = read('mamp')
    sets = cfg.train_dataloader.dataset.datasets
    assert [Path(one.ann_file).stem for one in sets] == [name for name in SETS if name != 'kard']
    bank, query = cfg.test_cfg.bank_dataloader.dataset, cfg.test_dataloader.dataset
    assert bank.ann_file == query.ann_file == 'data/skeleton/kard.pkl'
    assert (bank.split, query.split) == ('xsub_train', 'xsub_val')
    monkeypatch.setenv('LEFT_OUT', 'kadr')
    with pytest.raises(ValueError, match="'kadr' is not in list"):
        read('mamp')


def test_checks_look_at_each_set(read):
    cfg = read('mamp')
    model = MODELS.build(cfg.model)
    cfg.train_dataloader.dataset.datasets[3].pipeline[2].clip_len = 32
    dataset = Runner.build_dataloader(cfg.train_dataloader, seed=0).dataset
    with pytest.raises(ValueError, match='cad60.pkl: its clips have 32 frames'):
        check_dataset(dataset, model, cfg)
    os.remove('data/skeleton/cad60.pkl')
    with pytest.raises(FileNotFoundError, match='cad60.pkl.*run .* --reader cad60'):
        check_ann_files(cfg)


def test_both_stages_of_the_recipe_learn_from_the_same_sets(monkeypatch):
    monkeypatch.delenv('LEFT_OUT', raising=False)
    tuning = Config.fromfile(f'{CONFIGS}/stars_union.py')
    (stage,) = tuning.stages
    pretraining = Config.fromfile(f'{CONFIGS}/{stage.config}')
    assert pretraining.allow_random_init and 'stages' not in pretraining
    assert pretraining.model == tuning.model
    assert MODELS.build(tuning.model).backbone.num_joints == 15
    spaces = []
    for cfg in (pretraining, tuning):
        sets = cfg.train_dataloader.dataset.datasets
        (hook,) = cfg.custom_hooks
        whole = hook.dataloader.dataset.datasets
        assert [(one.ann_file, one.split) for one in sets] == [
            (one.ann_file, one.split) for one in whole
        ]
        assert not any(step.type == 'RandomRot' for one in whole for step in one.pipeline)
        assert cfg.param_scheduler[0].end == cfg.train_cfg.max_epochs
        spaces.append(hook.feature_space)
    assert spaces == ['geometry', 'geometry_pulled']
