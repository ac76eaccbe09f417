"""What each ablation changes, and that its stages fit together."""

from pathlib import Path

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from stars_mm.engine.optimizers import freeze_untrained_layers
from stars_mm.engine.runner.checks import check_handover, check_pretrained
from stars_mm.engine.runner.stages import build_stage_cfg

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(
    f'{folder}/{path.stem}'
    for folder in ('ablations', 'streams')
    for path in (CONFIGS / folder).glob('*.py')
    if not path.stem.startswith('linear_')
)
DATA = {
    'ntu60-xsub': ('stars_ntu60', 'mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub'),
    'nw-ucla_small': ('stars_nw-ucla_small', 'mamp/mamp_vit-4l-128d_1xb32-150e_nw-ucla'),
    'demo': ('stars_demo', 'mamp/mamp_vit-4l-64d_1xb16-110e_demo'),
}
# first word of the name → keys of the recipe that may differ from the paper's
CHANGES = dict(
    moco={'model.head'},
    dino={'model.head'},
    mae={'stages'},
    absent={'stages'},
    alpha={'optim_wrapper.paramwise_cfg.layer_decay'},
    queue={'model.head.queue_size'},
    topk={'model.head.topk'},
    views={'train_dataloader.dataset.pipeline'},
    bone={'model.data_preprocessor', 'stages', 'stream'},
    motion={'model.data_preprocessor', 'stages', 'stream'},
)


def load(name):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.randomness = dict(seed=0)
    return cfg


def differences(a, b, prefix=''):
    """Dotted names of the values that differ; a changed ``type`` makes the
    whole dict one difference."""
    a, b = (v.to_dict() if isinstance(v, Config) else v for v in (a, b))
    if not (isinstance(a, dict) and isinstance(b, dict) and a.get('type') == b.get('type')):
        return set() if a == b else {prefix}
    return set().union(
        *(
            differences(a.get(key), b.get(key), f'{prefix}.{key}'.lstrip('.'))
            for key in a.keys() | b.keys()
        )
    )


def stages_of(cfg):
    return [build_stage_cfg(cfg, stage, 'work_dir') for stage in cfg.get('stages') or []]


@pytest.mark.parametrize('name', NAMES)
def test_one_thing_differs(name):
    what, data = name.split('/')[1].split('_', 1)
    allowed = CHANGES.get(what.split('-')[0])
    if allowed is None:
        assert what in ('one-stage', 'scratch', 'three-stage')
        return
    recipe = load(DATA[data][0])
    found = differences(load(name), recipe)
    assert {key for key in found if not key.startswith('protocols.')} == allowed
    for ours, its in zip(stages_of(load(name)), stages_of(recipe)):
        assert differences(ours, its) == {
            'mae': {'model.head.motion_stride', 'model.motion_aware_tau'},
            'absent': {'model.skip_absent'},
            'bone': {'model.data_preprocessor'},
            'motion': {'model.data_preprocessor'},
        }.get(what, set())


@pytest.mark.parametrize(
    'name',
    [
        name
        for name in NAMES
        if name.split('/')[1].startswith(
            ('moco', 'dino', 'mae', 'scratch', 'three', 'bone', 'motion')
        )
    ],
)
def test_stages_hand_over(name):
    cfg = load(name)
    runs = [(run, MODELS.build(run.model)) for run in [*stages_of(cfg), cfg]]
    check_pretrained(cfg, runs[-1][1], initialised=len(runs) > 1)
    for (run, model), (_, following) in zip(runs, runs[1:]):
        check_handover(model, following, run.filename)


@pytest.mark.parametrize('data', ['ntu60-xsub', 'nw-ucla_small'])
def test_stages_read_the_same_stream(data):
    for stream in ('bone', 'motion'):
        cfg = load(f'streams/{stream}_{data}')
        (stage,) = stages_of(cfg)
        assert stage.model.data_preprocessor == cfg.model.data_preprocessor
        model = MODELS.build(cfg.model)
        assert model.data_preprocessor.stream == stream
        assert len(model.data_preprocessor.parents) == (cfg.model.backbone.num_joints)
        # a classifier is trained on the same stream
        assert list(cfg.protocols) == ['linear']
        linear = Config.fromfile(CONFIGS / cfg.protocols.linear)
        assert linear.model.data_preprocessor == cfg.model.data_preprocessor
        with DefaultScope.overwrite_default_scope('mmaction'):
            probe = MODELS.build(linear.model)
        assert probe.data_preprocessor.stream == stream
        check_handover(model, probe, linear.filename)


@pytest.mark.parametrize('data', ['ntu60-xsub', 'nw-ucla_small'])
def test_three_stages(data):
    cfg = load(f'ablations/three-stage_{data}')
    _, head_stage = stages_of(cfg)
    assert not head_stage.get('stages')
    model = MODELS.build(head_stage.model)
    freeze_untrained_layers(model, head_stage.optim_wrapper.paramwise_cfg)
    for name, param in model.named_parameters():
        assert param.requires_grad == name.startswith('head.'), name
    epochs = head_stage.train_cfg.max_epochs, cfg.train_cfg.max_epochs
    assert epochs[0] == 2 * epochs[1]
    if data == 'ntu60-xsub':  # the paper's
        assert epochs == (20, 10)


@pytest.mark.parametrize('data', ['ntu60-xsub', 'nw-ucla_small'])
def test_one_stage_differs_in_the_added_loss_alone(data):
    cfg, stage = load(f'ablations/one-stage_{data}'), load(DATA[data][1])
    head = load(DATA[data][0]).model.head
    assert differences(cfg, stage) == {'model'}
    assert {key: cfg.model.contrast_head.get(key, head[key]) for key in head} == head
    cfg.model.pop('contrast_head')
    assert differences({**cfg.model, 'type': 'MAMP'}, stage.model) == set()


@pytest.mark.parametrize('data', ['ntu60-xsub', 'nw-ucla_small'])
def test_from_scratch_trains_all_layers(data):
    cfg = load(f'ablations/scratch_{data}')
    assert cfg.allow_random_init and not cfg.get('stages')
    recipe = load(DATA[data][0])
    assert differences(cfg.model, recipe.model) == set()
    model = MODELS.build(cfg.model)
    freeze_untrained_layers(model, cfg.optim_wrapper.get('paramwise_cfg', {}))
    assert all(param.requires_grad for param in model.parameters())
    total = recipe.train_cfg.max_epochs + stages_of(recipe)[0].train_cfg.max_epochs
    assert cfg.train_cfg.max_epochs in (total, 400)
