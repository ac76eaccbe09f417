"""Every config builds what it describes."""

from pathlib import Path

import pytest
from mmaction.datasets.transforms import PackActionInputs
from mmaction.registry import HOOKS, LOOPS, METRICS, MODELS, RUNNERS, TRANSFORMS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import FUNCTIONS, DefaultScope

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(
    str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts
)


def banks(cfg):
    return [
        loop.bank_dataloader
        for loop in (cfg.val_cfg, cfg.test_cfg)
        if loop.type.startswith('Feature')
    ]


def bank_and_loaders(cfg):
    return [cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader, *banks(cfg)]


@pytest.mark.parametrize('name', NAMES)
def test_parts_are_registered_and_fit(name):
    cfg = Config.fromfile(CONFIGS / name)
    assert RUNNERS.get(cfg.runner_type).__name__ == 'StagedRunner'
    assert LOOPS.get(cfg.val_cfg.type) and LOOPS.get(cfg.test_cfg.type)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    for loader in bank_and_loaders(cfg):
        steps = [TRANSFORMS.build(step) for step in loader.dataset.pipeline]
        assert isinstance(steps[-1], PackActionInputs)
        assert FUNCTIONS.get(loader.get('collate_fn', {}).get('type', 'pseudo_collate'))
        flat = str(loader.dataset.pipeline)
        # graph networks take clips of any length
        num_frames = getattr(model.backbone, 'num_frames', '')
        assert f"'clip_len': {num_frames}" in flat
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        Evaluator([METRICS.build(metric) for metric in evaluator])
    for hook in list(cfg.default_hooks.values()) + cfg.get('custom_hooks', []):
        HOOKS.build(hook)


@pytest.mark.parametrize('name', NAMES)
def test_no_decision_sees_test_labels(name):
    cfg = Config.fromfile(CONFIGS / name)
    assert 'save_best' not in cfg.default_hooks.checkpoint
    assert not any('EarlyStopping' in hook['type'] for hook in cfg.get('custom_hooks', []))


@pytest.mark.parametrize('name', [n for n in NAMES if '-to-' not in n])
def test_splits_do_not_mix(name):
    """Training and bank read the training split, the query never does."""
    cfg = Config.fromfile(CONFIGS / name)
    train, val, test, *its_banks = [
        (loader.dataset.ann_file, loader.dataset.split) for loader in bank_and_loaders(cfg)
    ]
    assert all(bank == train for bank in its_banks)
    assert val == test != train
    assert train[1].endswith('_train') and val[1].endswith('_val')


@pytest.mark.parametrize('name', [n for n in NAMES if '/' not in n])
def test_stages_hand_over(name):
    """What a stage trains fits the model that goes on with it."""
    cfg = Config.fromfile(CONFIGS / name)
    backbone = MODELS.build(cfg.model).backbone.state_dict()
    for stage in cfg.stages:
        stage_cfg = Config.fromfile(CONFIGS / stage.config)
        stage_backbone = MODELS.build(stage_cfg.model).backbone.state_dict()
        shapes = {k: v.shape for k, v in backbone.items()}
        assert shapes == {k: v.shape for k, v in stage_backbone.items()}
        train = stage_cfg.train_dataloader.dataset
        assert train.ann_file == cfg.train_dataloader.dataset.ann_file
        assert train.split == cfg.train_dataloader.dataset.split


# paper's and authors' numbers, REFERENCE sections 2 and 3
@pytest.mark.parametrize(
    'data,tau,decoder,alpha,lr',
    [
        ('ntu60-xsub', 0.80, 3, 0.45, 1e-3),
        ('ntu60-xview', 0.80, 3, 0.45, 1e-3),
        ('ntu120-xsub', 0.75, 5, 0.40, 1e-3),
        ('ntu120-xset', 0.75, 5, 0.40, 1e-3),
        ('pku1-xsub', 0.80, 5, 0.35, 1e-4),
        ('pku2-xsub', 0.80, 5, 0.35, 1e-4),
    ],
)
def test_published_numbers(data, tau, decoder, alpha, lr):
    mamp = Config.fromfile(CONFIGS / f'mamp/mamp_vit-8l-256d_8xb16-400e_{data}.py')
    stars = Config.fromfile(CONFIGS / f'stars/stars_vit-8l-256d_8xb16-20e_{data}.py')
    assert mamp.model.motion_aware_tau == tau
    assert mamp.model.neck.depth == decoder
    assert stars.optim_wrapper.paramwise_cfg.layer_decay == alpha
    assert stars.optim_wrapper.optimizer.lr == lr
    assert stars.train_dataloader.dataset.split.startswith(data.split('-')[1])
    for cfg in (mamp, stars):
        assert cfg.train_dataloader.batch_size * 8 == 128
        assert cfg.auto_scale_lr.base_batch_size == 128


def test_the_fast_recipe_has_the_same_views():
    name = 'mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub'
    *steps, slots, pack = Config.fromfile(CONFIGS / f'{name}.py').train_dataloader.dataset.pipeline
    (views,) = Config.fromfile(CONFIGS / f'{name}_fast.py').train_dataloader.dataset.pipeline
    assert views == dict(
        type='PackViews',
        transforms=steps,
        num_person=slots.num_person,
        mode=slots.mode,
        meta_keys=pack.meta_keys,
    )
