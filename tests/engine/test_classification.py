"""Linear probing and finetuning on a real, short training."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

SIZES = dict(embed_dims=16, depth=2, num_heads=2, num_frames=8, tubelet_size=2, num_joints=25)
BACKBONE = dict(type='SkeletonTransformer', drop_rate=0.2, drop_path_rate=0.5, **SIZES)

CONFIG = """
_base_ = [
    '{configs}/_base_/models/{kind}_vit-8l-256d.py',
    '{configs}/_base_/datasets/ntu60-xsub.py',
    '{configs}/_base_/schedules/{schedule}.py',
    '{configs}/_base_/default_runtime.py'
]
pipeline = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=8, p_interval=(0.5, 1.0),
         min_frames=6),
    dict(type='FormatGCNInput', num_person=2, mode='zero'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir'))]
data = dict(batch_size=4, num_workers=0, persistent_workers=False,
            dataset=dict(ann_file={ann_file!r}, num_classes=3,
                         pipeline=pipeline))
train_dataloader = data
val_dataloader = data
test_dataloader = data
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = test_evaluator = [dict(type='AccMetric')]
train_cfg = dict(max_epochs=2, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=1))
"""


@pytest.fixture(scope='module')
def ann_path(write_ann_file, tmp_path_factory):
    return write_ann_file(tmp_path_factory.mktemp('bench') / 'bench.pkl', num_joints=25)


@pytest.fixture
def bench(repo_root, ann_path, tmp_path):
    """``bench(kind)`` → config of a benchmark, with a checkpoint of its encoder."""

    def _bench(kind: str, checkpoint=True):
        schedule = dict(linear='linear_sgd_8xb32-100e', finetune='finetune_adamw_8xb6-100e')[kind]
        path, given = tmp_path / f'{kind}.py', dict(kind=kind, schedule=schedule)
        path.write_text(CONFIG.format(configs=repo_root / 'configs', ann_file=ann_path, **given))
        cfg = Config.fromfile(path)
        cfg.model.backbone = BACKBONE
        cfg.model.cls_head.update(num_classes=3, in_channels=16)
        cfg.work_dir = str(tmp_path / 'run')
        if checkpoint:
            cfg.load_from = str(tmp_path / 'encoder.pth')
            with DefaultScope.overwrite_default_scope('mmaction'):  # as the runner
                model = MODELS.build(dict(type='RecognizerGCN', backbone=BACKBONE))
            torch.nn.init.normal_(next(iter(model.parameters())))
            torch.save(dict(state_dict=model.state_dict()), cfg.load_from)
        return cfg

    return _bench


def test_the_probe_leaves_the_encoder_alone(bench, build):
    cfg = bench('linear')
    encoder = torch.load(cfg.load_from)['state_dict']
    runner = build(cfg)
    runner.train()
    saved = torch.load(f'{cfg.work_dir}/epoch_2.pth')['state_dict']
    assert all(torch.equal(saved[name], value) for name, value in encoder.items())
    statistics = runner.model.cls_head.fc[0]
    assert statistics.num_batches_tracked == 2 * (21 // 4)
    assert statistics.running_mean.any()


def test_finetuning_trains_every_layer(bench, build):
    cfg = bench('finetune')
    encoder = torch.load(cfg.load_from)['state_dict']
    runner = build(cfg)
    before = copy.deepcopy(runner.model.cls_head.state_dict())
    runner.train()
    state = runner.model.state_dict()
    assert not any(torch.equal(state[key], encoder[key]) for key in encoder)
    assert not any(torch.equal(state[f'cls_head.{key}'], before[key]) for key in before)
    base = cfg.optim_wrapper.optimizer.lr
    rates = {
        round(group['initial_lr'] / base, 6): group['lr'] / base
        for group in runner.optim_wrapper.param_groups
    }
    # two blocks: embeddings, block 0, block 1, norm and head
    assert sorted(rates) == pytest.approx([0.8**3, 0.8**2, 0.8, 1.0])


@pytest.mark.parametrize(
    'kind, model', [('linear', 'FrozenRecognizerGCN'), ('finetune', 'RecognizerGCN')]
)
def test_no_checkpoint_no_benchmark(bench, build, kind, model):
    cfg = bench(kind, checkpoint=False)
    message = rf'{kind}\.py: {model} needs a pretrained .*load_from=PATH.*allow_random_init'
    with pytest.raises(ValueError, match=message):
        build(cfg).train()


def test_found_before_training(bench, build):
    cfg = bench('linear')
    with pytest.raises(ValueError, match=r'encoder\.pth: holds no classifier.*cls_head\.fc\.1'):
        build(cfg).test()
    for options, message in (
        ({'train_dataloader.batch_size': 22}, r'an epoch has no batch: its 21 .*batch_size=22'),
        ({'model.cls_head.num_classes': 4}, r'bench\.pkl: the data.*cls_head\.num_classes=4 in'),
    ):
        wrong = copy.deepcopy(cfg)
        wrong.merge_from_dict(options)
        with pytest.raises(ValueError, match=message):
            build(wrong).train()
