"""The benchmark configs against the published protocols."""

from pathlib import Path

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

CONFIGS = Path(__file__).parents[1] / 'configs'
TRAININGS = ('linear', 'finetune', 'semi', 'transfer')
NAMES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for kind in TRAININGS
    for path in (CONFIGS / 'benchmarks' / kind).glob('*.py')
)
RECIPES = sorted(path.name for path in CONFIGS.glob('*.py'))
CLASSES = {
    'ntu60_3d': 60,
    'ntu120_3d': 120,
    'pku1_3d': 51,
    'pku2_3d': 51,
    'nw-ucla': 10,
    'demo': 15,
    'made-up': 2,
}


def load(name: str) -> Config:
    return Config.fromfile(CONFIGS / name)


def build(cfg: Config):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg.model)


def encoder(cfg: Config) -> dict:
    return {name: value.shape for name, value in build(cfg).backbone.state_dict().items()}


@pytest.mark.parametrize('name', NAMES)
def test_classifies_what_the_data_hold(name):
    cfg = load(name)
    datasets = [cfg[f'{mode}_dataloader'].dataset for mode in ('train', 'val', 'test')]
    for dataset in datasets:
        wanted = CLASSES[Path(dataset.ann_file).stem]
        assert dataset.num_classes == cfg.model.cls_head.num_classes == wanted
    assert [metric.type for metric in cfg.val_evaluator] == ['AccMetric']
    assert (cfg.val_cfg.type, cfg.test_cfg.type) == ('ValLoop', 'TestLoop')
    assert cfg.val_evaluator == cfg.test_evaluator
    assert cfg.needs_pretrained and cfg.load_from is None
    assert 'stages' not in cfg


@pytest.mark.parametrize('name', NAMES)
def test_counts_fit_the_name(name):
    """…_8xb32-100e_…: processes × clips, epochs."""
    cfg = load(name)
    processes, rest = name.split('_')[2].split('xb')
    clips, epochs = rest.split('-')
    assert cfg.train_dataloader.batch_size == int(clips)
    assert cfg.auto_scale_lr.base_batch_size == int(processes) * int(clips)
    assert cfg.train_cfg.max_epochs == int(epochs[:-1])
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_epochs
    begins = [scheduler.begin for scheduler in cfg.param_scheduler]
    ends = [scheduler.end for scheduler in cfg.param_scheduler]
    assert begins == [0, *ends[:-1]]


@pytest.mark.parametrize('name', NAMES)
def test_the_clips_are_those_of_stage_1(name):
    """Same recordings, crops and rotations; the centre 95 % at test time."""
    cfg = load(name)
    dataset = cfg.train_dataloader.dataset
    stage1 = [
        load(f'mamp/{path.name}')
        for path in (CONFIGS / 'mamp').glob('*.py')
        if not path.stem.endswith('_fast')
    ]
    same = [
        stage
        for stage in stage1
        if stage.train_dataloader.dataset.ann_file == dataset.ann_file
        and stage.train_dataloader.dataset.split == dataset.split
    ]
    assert same
    for stage in same:
        assert dataset.pipeline == stage.train_dataloader.dataset.pipeline
        for mode in ('val_dataloader', 'test_dataloader'):
            assert cfg[mode].dataset.pipeline == stage[mode].dataset.pipeline
    (crop,) = [
        step for step in cfg.test_dataloader.dataset.pipeline if step.type == 'TemporalCropResize'
    ]
    assert crop.p_interval == 0.95


# REFERENCE section 5
@pytest.mark.parametrize(
    'data, lr, batch',
    [
        ('ntu60-xsub', 0.1, 256),
        ('ntu60-xview', 0.1, 256),
        ('ntu120-xsub', 0.1, 256),
        ('ntu120-xset', 0.1, 256),
        ('pku1-xsub', 0.1, 128),
        ('pku2-xsub', 0.01, 32),
    ],
)
def test_published_numbers_of_linear_probing(data, lr, batch):
    cfg = load(f'benchmarks/linear/linear_vit-8l-256d_8xb{batch // 8}-100e_{data}.py')
    assert dict(cfg.optim_wrapper.optimizer) == dict(
        type='SGD', lr=lr, momentum=0.9, weight_decay=0.0
    )
    assert cfg.auto_scale_lr.base_batch_size == batch
    assert cfg.train_dataloader.dataset.split.split('_')[0] in data
    assert cfg.model.type == 'FrozenRecognizerGCN'
    assert cfg.model.cls_head.type == 'LinearProbeHead'


@pytest.mark.parametrize(
    'data', ['ntu60-xsub', 'ntu60-xview', 'ntu120-xsub', 'ntu120-xset', 'pku1-xsub', 'pku2-xsub']
)
def test_published_numbers_of_finetuning(data):
    cfg = load(f'benchmarks/finetune/finetune_vit-8l-256d_8xb6-100e_{data}.py')
    assert dict(cfg.optim_wrapper.optimizer) == dict(
        type='AdamW', lr=3e-4, betas=(0.9, 0.999), weight_decay=0.05
    )
    assert dict(cfg.optim_wrapper.paramwise_cfg) == dict(layer_decay=0.8, decay_1d=False)
    assert cfg.auto_scale_lr.base_batch_size == 48
    assert cfg.train_dataloader.dataset.split.split('_')[0] in data
    head = dict(cfg.model.cls_head)
    del head['num_classes']
    assert head == dict(
        type='JointMLPHead',
        in_channels=256,
        num_joints=25,
        hidden_channels=2048,
        dropout=0.3,
        label_smooth_eps=0.1,
    )
    assert cfg.model.backbone.drop_path_rate == 0.3


@pytest.mark.parametrize('name', [n for n in NAMES if '/semi/' in n])
def test_label_subsets_are_those_that_the_tool_writes(name):
    """…-10pct: ten percent; the rest is a finetune on the same split."""
    cfg = load(name)
    dataset = cfg.train_dataloader.dataset
    percent = name.removesuffix('pct.py').split('-')[-1]
    assert dataset.subset == (
        f'data/skeleton/subsets/{Path(dataset.ann_file).stem}_{dataset.split}_'
        f'{percent}pct_random_seed0_draw0.txt'
    )
    assert cfg.model.cls_head.type == 'JointMLPHead'
    assert 'subset' not in cfg.val_dataloader.dataset


@pytest.mark.parametrize('name', RECIPES)
def test_protocols_fit_the_recipe(name):
    """Each takes the encoder that the recipe trains, and its data, but for
    transfer, which goes to PKU-MMD II."""
    recipe = load(name)
    shapes = encoder(recipe)
    trained = set(TRAININGS) & set(recipe.protocols)
    assert {'linear', 'finetune'} <= trained
    for kind in trained:
        path = recipe.protocols[kind]
        assert path.startswith(f'benchmarks/{kind}/')
        cfg = load(path)
        assert encoder(cfg) == shapes
        ours, theirs = (c.train_dataloader.dataset for c in (recipe, cfg))
        same = (ours.ann_file, ours.split) == (theirs.ann_file, theirs.split)
        assert same == (kind != 'transfer')
        if kind == 'transfer':
            assert theirs.ann_file.endswith('pku2_3d.pkl')
