"""What is misspelt or cannot be meant in the last stage is found before the first begins."""

import copy
import math
import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from stars_mm.cli.main import parse_command
from stars_mm.cli.running import build_runner
from stars_mm.cli.train import load_config
from stars_mm.engine.runner.rehearsal import rehearse
from stars_mm.engine.runner.stages import build_stage_cfg, check_stages

SCHEDULE = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
PIPELINE = 'train_dataloader.dataset.pipeline'
CLIP = dict(type='PerTensorGradClipHook', max_norm=3.0)
#: Of the last stage: options, and what the message has to name: key, nearest name or what is wrong.
LAST = [
    ({'optim_wraper': dict(type='OptimWrapper')}, "optim_wraper .*'optim_wrapper'"),
    ({'load_form': 'a.pth'}, "load_form .*'load_from'"),
    ({'custom_hook': [CLIP]}, "custom_hook .*'custom_hooks'"),
    ({'train_cfg.max_epoch': 3}, "train_cfg.max_epoch = 3.*'max_epochs'"),
    ({'train_cfg.max_epochs': 0}, 'train_cfg.max_epochs = 0 must be 1'),
    ({'train_cfg.max_epochs': -1}, 'train_cfg.max_epochs = -1 must be 1'),
    ({'train_cfg.max_epochs': 'four'}, "train_cfg.max_epochs = 'four'"),
    ({'train_cfg.val_interval': 0}, 'train_cfg.val_interval = 0'),
    ({'model.type': 'STRAS'}, "model.type = 'STRAS'.*'STARS'"),
    ({'model.backbone.num_layer': 8}, 'model.backbone.num_layer = 8.*SkeletonTransformer'),
    ({'model.backbone.embed_dim': 8}, "model.backbone.embed_dim = 8.*'embed_dims'"),
    ({'model.backbone.num_heads': 3}, r'stars\.py: model: .*3'),
    ({'model.head.queue_sise': 20}, "model.head.queue_sise = 20.*'queue_size'"),
    ({'model.head.type': 'NNCLRHaed'}, "NNCLRHaed.*'NNCLRHead'"),
    ({'model.head.temperature': -1.0}, r'stars\.py: model: .*temperature.*-1'),
    ({'model.keep_ration': 0.5}, "model.keep_ration = 0.5.*'keep_ratio'"),
    ({'train_dataloader.dataset.splt': 'a'}, "dataset.splt = 'a'.*'split'"),
    ({'train_dataloader.dataset.typo': 'a'}, r'stars\.py: train_cfg, train_dataloader: .*typo'),
    ({'train_dataloader.dataset.type': 'SkeletonDatset'}, "'SkeletonDatset'.*'SkeletonDataset'"),
    ({f'{PIPELINE}.0.center_jiont': 1}, f"{PIPELINE}.0.center_jiont = 1.*'center_joint'"),
    ({f'{PIPELINE}.0.type': 'CentreSkeleton'}, "0.type = 'CentreSkeleton'.*'CenterSkeleton'"),
    ({f'{PIPELINE}.1.transforms.0.clip_length': 8}, "1.transforms.0.clip_length = 8.*'clip_len'"),
    ({f'{PIPELINE}.1.num_views': 0}, r'stars\.py: train_cfg, train_dataloader: .*num_views'),
    ({f'{PIPELINE}.2.num_persons': 2}, f"{PIPELINE}.2.num_persons = 2.*'num_person'"),
    ({'train_dataloader.sampler.shufle': True}, "sampler.shufle = True.*'shuffle'"),
    ({'train_dataloader.sampler.type': 'DefaultSampelr'}, "'DefaultSampelr'.*'DefaultSampler'"),
    ({'train_dataloader.batchsize': 4}, "train_dataloader.batchsize = 4.*'batch_size'"),
    ({'train_dataloader.batch_size': 0}, 'train_dataloader.batch_size = 0'),
    ({'train_dataloader.num_workers': -1}, r'stars\.py: train_cfg, train_dataloader: .*num_work'),
    ({'train_dataloader.drop_lst': True}, "train_dataloader.drop_lst = True.*'drop_last'"),
    ({'train_dataloader.collate_fn': dict(type='pseudo_colate')}, "'pseudo_colate'.*'pseudo_coll"),
    ({'val_dataloader': None}, 'val_dataloader, val_cfg, and val_evaluator'),
    ({'val_dataloader.batch_size': 0}, 'val_dataloader.batch_size = 0'),
    ({'val_cfg.type': 'FeatureValLop'}, "'FeatureValLop'.*'FeatureValLoop'"),
    ({'val_cfg.bank_loader': {}}, "val_cfg.bank_loader = .*'bank_dataloader'"),
    ({'val_cfg.bank_dataloader.dataset.test_mod': 1}, "dataset.test_mod = 1.*'test_mode'"),
    ({'val_evaluator.0.topk_neighbour': (1,)}, "val_evaluator.0.topk_n.*'topk_neighbors'"),
    ({'val_evaluator.0.topk_neighbors': (0,)}, r'stars\.py: val_cfg, .*topk_neighbors'),
    ({'val_evaluator.0.topk_neighbors': (99,)}, r'topk_neighbors=\(99,\)'),
    ({'test_evaluator.1.type': 'ClustrMetric'}, "'ClustrMetric'.*'ClusterMetric'"),
    ({'test_evaluator.1.sed': 0}, "test_evaluator.1.sed = 0.*'seed'"),
    ({'test_cfg.feature_space': 'joint'}, r'stars\.py: test_cfg, .*joint'),
    ({'optim_wrapper.optimizer.lr': -0.1}, r'stars\.py: optim_wrapper: .*-0\.1'),
    ({'optim_wrapper.optimizer.weight_decy': 0}, "optimizer.weight_decy = 0.*'weight_decay'"),
    ({'optim_wrapper.optimizer.type': 'AdamV'}, "optimizer.type = 'AdamV'.*'Adam"),
    ({'optim_wrapper.constructer': 'a'}, "optim_wrapper.constructer = 'a'.*'constructor'"),
    ({'optim_wrapper.constructor': 'LayerDecayConstructor'}, "'LayerDecayOptimWrapperConstruc"),
    ({'optim_wrapper.clip_grad': dict(max_nrom=3)}, "clip_grad.max_nrom = 3.*'max_norm'"),
    (
        {'optim_wrapper.clip_grad': dict(max_norm=3), 'custom_hooks': [CLIP]},
        r'stars\.py: .*PerTensorGradClipHook',
    ),
    ({'param_scheduler': [dict(SCHEDULE, begin=3, end=1)]}, r'stars\.py: param_scheduler: .*end'),
    ({'param_scheduler': [dict(SCHEDULE, typ='a')]}, "param_scheduler.0.typ = 'a'"),
    ({'param_scheduler': [dict(SCHEDULE, T_maxx=3)]}, "param_scheduler.0.T_maxx = 3.*'T_max'"),
    ({'param_scheduler': [dict(SCHEDULE, type='CosineLR')]}, "param_scheduler.0.type = 'CosineLR'"),
    ({'default_hooks.checkpoint.interval': 0}, 'default_hooks.checkpoint.interval = 0'),
    ({'default_hooks.checkpoint.intervall': 5}, "checkpoint.intervall = 5.*'interval'"),
    ({'default_hooks.checkpont': dict(interval=1)}, "default_hooks.checkpont .*'checkpoint'"),
    ({'custom_hooks': [dict(CLIP, type='PerTensorGradClipHok')]}, "custom_hooks.0.type.*ClipHook'"),
    ({'custom_hooks': [dict(CLIP, max_nrom=3.0)]}, "custom_hooks.0.max_nrom = 3.0.*'max_norm'"),
    ({'custom_hooks': [dict(CLIP, max_norm=-3.0)]}, r'stars\.py: default_hooks, cu.*max_norm.*-3'),
    ({'randomness.sed': 3}, "randomness.sed = 3.*'seed'"),
    ({'auto_scale_lr.enabled': True}, "auto_scale_lr.enabled = True.*'enable'"),
    ({'log_processor.windowsize': 20}, "log_processor.windowsize = 20.*'window_size'"),
    ({'env_cfg.mp_cfg.mp_start_methode': 'a'}, "env_cfg.mp_cfg.mp_start_m.*'mp_start_method'"),
    ({'visualizer.vis_backend': []}, r"visualizer.vis_backend = \[\].*'vis_backends'"),
    ({'compile': dict(mod='a')}, "compile.mod = 'a'.*'mode'"),
    ({'stages': 'stage1/mamp.py'}, "stages = 'stage1/mamp.py' must be a list"),
    ({'stages': ['stage1/mamp.py']}, 'must be a list of dict'),
    ({'model.backbone.init_cfg': dict(type='Pretrained', checkpoint='no.pth')}, 'init_cfg.*no.pth'),
    ({'model.backbone.drop_path_rate': 1.5}, r'stars\.py: model: drop_path_rate=1\.5'),
    ({'train_dataloader.batch_size': '4'}, "train_dataloader.batch_size = '4' is no whole"),
    ({'train_dataloader.sampler.shuffle': 'no'}, "shuffle = 'no' is neither True nor False"),
    ({'train_dataloader.sampler.type': 'InfiniteSampler'}, 'InfiniteSampler.* no end'),
    ({'train_dataloader.dataset.ann_file': 3}, r'stars\.py: .*int'),
    ({'train_cfg.val_interval': 2.5}, 'train_cfg.val_interval = 2.5 is no whole'),
    ({'train_cfg.val_begin': 'a'}, "train_cfg.val_begin = 'a' is no whole"),
    ({'optim_wrapper.accumulative_counts': 2.5}, 'accumulative_counts = 2.5 is no whole'),
    ({'optim_wrapper.clip_grad': dict(max_norm=-3)}, 'clip_grad.max_norm = -3 must be .*above 0'),
    ({'optim_wrapper.clip_grad': dict(norm_type=2)}, 'clip_grad.max_norm = None must be'),
    ({'default_hooks.checkpoint.interval': '5'}, "checkpoint.interval = '5' is no whole"),
    ({'default_hooks.checkpoint.max_keep_ckpts': '2'}, "max_keep_ckpts = '2' is no whole"),
    ({'allow_random_init': 'no'}, r"stars\.py: allow_random_init = 'no' is neither"),
    ({'val_evaluator.0.topk_neighbors': (1.5,)}, 'topk_neighbors must be positive whole'),
    # what shows when a step is taken
    (
        {'model.head.in_channels': 32},
        r'stars\.py: model, .*a step with 2 clips: NNCLRHead has in_ch',
    ),
    ({f'{PIPELINE}.3.meta_keys': ()}, 'a step with 2 clips: .*no "sample_idx"'),
    ({'train_dataloader.drop_last': False}, 'a step with 1 clips: .*more than 1 value'),
    ({'train_dataloader.sampler.seed': 'a'}, r'stars\.py: model, train_dataloader: .*str'),
    ({'val_evaluator': [dict(type='AccMetric')]}, r"stars\.py: val_evaluator: .*'pred_score'"),
    (
        {'custom_hooks': [dict(type='EMAHook', begin_epoch=9)]},
        r'stars\.py: custom_hooks: EMAHook.*9',
    ),
    ({'custom_hooks': [dict(type='EMAHook', momentm=0.1)]}, r"stars\.py: .*EMAHook.*'momentm'"),
    (
        {'param_scheduler': [dict(type='StepLR', step_size=0)]},
        r'stars\.py: param_scheduler: ZeroDiv',
    ),
    (
        {'param_scheduler': [dict(type='LinearLR', start_factor=0)]},
        r'stars\.py: param_scheduler: ZeroDiv',
    ),
]
#: Of the first stage, in the ``options`` that the last one gives it.
FIRST = [
    ({'optim_wraper.type': 'AmpOptimWrapper'}, "'optim_wraper' does not.*'optim_wrapper'"),
    ({'batch_size': 4}, r"mamp\.py: the option 'batch_size'"),
    ({'center': []}, r"mamp\.py: the option 'center' is a variable"),
    ({'train_cfg.max_epochs': 0}, r'mamp\.py: train_cfg.max_epochs = 0'),
    ({'model.mask_ration': 0.5}, r"mamp\.py: model.mask_ration = 0.5.*'mask_ratio'"),
    ({'model.neck.depht': 1}, r"mamp\.py: model.neck.depht = 1.*'depth'"),
    ({'optim_wrapper.paramwise_cfg': dict(norm_decay_mul=0)}, 'norm_decay_mul = 0 .*norm_decay_mu'),
    ({'default_hooks.checkpoint': None}, r'mamp\.py: default_hooks.checkpoint: a stage needs'),
    (
        {'default_hooks.checkpoint': dict(interval=9, save_last=False)},
        r'mamp\.py: default_hooks.checkpoint: .*saves its end',
    ),
    ({'load_from': 'nowhere.pth'}, r'mamp\.py: load_from: .*nowhere\.pth'),
]


@pytest.fixture(scope='module')
def plain(load_cfg, tmp_path_factory) -> Config:
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield load_cfg(tmp_path_factory.mktemp('nowhere'))


@pytest.fixture(scope='module')
def plain_first(plain) -> Config:
    return build_stage_cfg(plain, plain.stages[0], plain.work_dir)


@pytest.fixture
def expect(plain, plain_first):
    def _expect(message: str, options: dict, stage: dict) -> None:
        cfg = copy.deepcopy(plain)
        cfg.merge_from_dict(options)
        with pytest.raises((ValueError, FileNotFoundError), match=f'(?s){message}') as caught:
            check_stages(cfg.stages, cfg)
            cfg.stages[0].options.update(stage)
            first = build_stage_cfg(cfg, cfg.stages[0], cfg.work_dir) if stage else plain_first
            rehearse([first, cfg])
        assert '.py' in str(caught.value)

    return _expect


@pytest.mark.parametrize('options, message', LAST, ids=[message[:30] for _, message in LAST])
def test_in_the_last_stage(expect, options, message):
    expect(message, options, {})


@pytest.mark.parametrize('options, message', FIRST, ids=[message[:30] for _, message in FIRST])
def test_in_the_first_stage(expect, options, message):
    expect(message, {}, options)


@pytest.mark.parametrize('name', ['', '.', '..', '../other', '/other', None])
def test_a_stage_has_a_folder_of_its_own(plain, name):
    with pytest.raises(ValueError, match=r'stages\[0\] of .*stars\.py has the name .*folder'):
        check_stages([dict(plain.stages[0], name=name)], plain)


def test_stages_that_lead_back(plain, tmp_path):
    path = tmp_path / 'round.py'
    path.write_text("stages = [dict(name='a', config='round.py')]")
    with pytest.raises(ValueError, match=r'round\.py: its `stages` lead back'):
        check_stages([dict(name='a', config=str(path))], plain)


def test_all_faults_at_once(expect):
    options = {'train_cfg.max_epoch': 3, 'train_dataloader.batch_size': 0}
    expect("batch_size = 0.*\n.*'max_epochs'|'max_epochs'.*\n.*batch_size = 0", options, {})


def test_nothing_is_trained_before(load_cfg, build, tmp_path):
    """A schedule of the last stage that ends before it begins."""
    cfg = load_cfg(tmp_path, {'param_scheduler': [dict(SCHEDULE, begin=3, end=1)]})
    with pytest.raises(ValueError, match='param_scheduler: end should be larger than begin'):
        build(cfg).train()
    assert not list(tmp_path.rglob('*.pth')) + list(tmp_path.rglob('pretrain'))


def test_a_rehearsal_leaves_nothing(load_cfg, build, tmp_path):
    """No random number, no file, no global instance, no line in a log."""
    runner = build(load_cfg(tmp_path))
    cfgs = [build_stage_cfg(runner.cfg, runner.cfg.stages[0], runner.work_dir), runner.cfg]

    def traces() -> list:
        managers = (MMLogger, MessageHub, Visualizer, DefaultScope)
        instances = [list(manager._instance_dict.items()) for manager in managers]
        files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*')}
        state = np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist()
        return [instances, files, state, runner.message_hub.log_scalars.copy()]

    before = traces()
    rehearse(cfgs)
    assert traces() == before


def test_own_variables_and_unset_parts_are_no_faults(load_cfg, build, tmp_path):
    options = dict(ann_file='a', dataset_type='b', bank_dataloader={}, lr=1, val_pipeline=[])
    options |= dict(val_cfg=None, val_dataloader=None, val_evaluator=None, default_hooks=None)
    log = dict(data_src='loss', method_name='mean', window_size='global', log_name='mean_loss')
    options |= {'log_processor.custom_cfg': [log], 'train_dataloader.prefetch_factor': None}
    clipping = dict(max_norm=math.inf, norm_type='inf')
    options |= {'optim_wrapper.clip_grad': clipping, 'custom_hooks': []}
    first = load_cfg(tmp_path, {'model.head.norm_target': 'clip'}, name='mamp')
    rehearse([first, load_cfg(tmp_path, options)])


@pytest.mark.parametrize(
    'word, message',
    [
        ('optim_wraper.optimizer.lr=1', r"stars\.py: the option 'optim_wraper'.*'optim_wrapper'"),
        ('ann_file=a.pkl', r"the option 'ann_file' does not exist"),
        ('center=[]', "the option 'center' is a variable of the file"),
        ('train_cfg.max_epoch=3', "train_cfg.max_epoch = 3.*'max_epochs'"),
        ('runner_tpye=Runner', "'runner_tpye' .*'runner_type'"),
        ('runner_type=StagdRunner', r'stars\.py: runner_type: .*StagdRunner'),
        ('param_scheduler.type=StepLR', r'stars\.py: --cfg-options: .*param_scheduler|list'),
    ],
)
def test_options_of_the_command_line(recipe, tmp_path, word, message):
    argv = [str(recipe), '--work-dir', str(tmp_path), '--cfg-options', word]
    with pytest.raises(ValueError, match=message):
        build_runner(load_config(parse_command('train', argv)))
    assert not list(tmp_path.iterdir())


def test_a_runner_that_is_misspelt(plain):
    """mmengine's own would be taken, which knows no stages."""
    cfg = copy.deepcopy(plain)
    cfg.runner_tpye = cfg.pop('runner_type')
    with pytest.raises(ValueError, match="runner_tpye .*'runner_type'"):
        build_runner(cfg)
