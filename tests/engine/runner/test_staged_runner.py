import copy
import gc
import json
import os
import time
import weakref
from pathlib import Path

import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from stars_mm.engine.runner.stages import build_stage_cfg, latest_checkpoint

SHORT = {'train_cfg.max_epochs': 1, 'stages.0.options': {'train_cfg': dict(max_epochs=1)}}


def state(path: Path) -> dict:
    return torch.load(path, map_location='cpu')


def encoder(path: Path) -> dict:
    return {
        name: value
        for name, value in state(path)['state_dict'].items()
        if name.startswith('backbone.')
    }


def one_log(work_dir: Path) -> str:
    (log,) = work_dir.glob('*/*.log')
    return log.read_text()


def test_three_stages(load_cfg, build, recipe, tmp_path):
    """The middle stage starts from the first, and the last from it."""
    cfg = load_cfg(tmp_path, SHORT)
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.stages.append(
        dict(
            name='head',
            config=str(recipe),
            options=dict(
                stages=[],
                train_cfg=dict(max_epochs=1),
                optim_wrapper=dict(paramwise_cfg=dict(num_trainable_layers=0)),
            ),
        )
    )
    build(cfg).train()
    first, middle, last = [
        state(tmp_path / name / 'epoch_1.pth')['state_dict'] for name in ('pretrain', 'head', '')
    ]
    for name in last:
        if name.startswith('backbone.blocks'):
            assert torch.equal(middle[name], first[name]), name
        if not name.startswith('head.queue') and 'running' not in name and 'tracked' not in name:
            assert torch.equal(last[name], middle[name]), name
    assert not torch.equal(middle['backbone.norm.weight'], first['backbone.norm.weight'])


def test_logs_and_global_instances(load_cfg, build, tmp_path):
    runner = build(load_cfg(tmp_path, SHORT))
    runner.train()
    assert MMLogger.get_current_instance() is runner.logger
    assert MessageHub.get_current_instance() is runner.message_hub
    assert Visualizer.get_current_instance() is runner.visualizer
    assert DefaultScope.get_current_instance() is runner.default_scope
    assert runner.message_hub.get_info('epoch') == 0

    own, stage = one_log(tmp_path), one_log(tmp_path / 'pretrain')
    assert f'Stage 1 of 2: "pretrain" in {tmp_path}' in own
    for log in (own, stage):
        assert log.count('Epoch(train) [1]') == 1
    scalars = [
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (
            next(tmp_path.glob('*/vis_data/scalars.json')),
            next(tmp_path.glob('pretrain/*/vis_data/scalars.json')),
        )
    ]
    for lines in scalars:
        assert sum('loss' in line for line in lines) == 1


@HOOKS.register_module(force=True)
class NoteModel(Hook):
    """Keeps a weak reference to the model that was trained."""

    seen = []

    def after_run(self, runner):
        self.seen.append(weakref.ref(runner.model))


@HOOKS.register_module(force=True)
class ModelsAreGone(Hook):
    def before_train(self, runner):
        assert [model() for model in NoteModel.seen] == [None]


def test_a_finished_stage_is_released(load_cfg, build, tmp_path):
    """Its memory and workers are not kept through the next stage."""
    cfg = load_cfg(tmp_path, SHORT)
    cfg.stages[0].options.custom_hooks = [dict(type='NoteModel')]
    cfg.custom_hooks.append(dict(type='ModelsAreGone'))
    gc.disable()
    try:
        build(cfg).train()
    finally:
        gc.enable()


def test_seeds(load_cfg, build, trained, tmp_path, assert_same_run):
    """No seed is seed 0; the seed reaches every stage."""
    build(load_cfg(tmp_path / 'default')).train()
    assert_same_run(tmp_path / 'default', trained)
    assert_same_run(tmp_path / 'default/pretrain', trained / 'pretrain')

    build(load_cfg(tmp_path / 'other', {**SHORT, 'randomness.seed': 7})).train()
    for stage in ('', 'pretrain'):
        checkpoint = state(tmp_path / 'other' / stage / 'epoch_1.pth')
        assert checkpoint['meta']['seed'] == 7
        with pytest.raises(AssertionError):
            assert_same_run(tmp_path / 'other' / stage, trained / stage, 1)


def test_scaled_learning_rates(load_cfg, build, tmp_path):
    """A batch of 4 where the rates are for 8 halves them, in stages too."""
    options = dict(SHORT)
    options['auto_scale_lr'] = dict(enable=True, base_batch_size=8)
    options['stages.0.options'] = {
        'train_cfg.max_epochs': 1,
        'auto_scale_lr.base_batch_size': 8,
        'param_scheduler': [],
    }
    build(load_cfg(tmp_path, options)).train()
    for stage, rates in (('pretrain', {5e-4}), ('', {5e-4, 2.25e-4})):
        groups = state(tmp_path / stage / 'epoch_1.pth')['optimizer']['param_groups']
        assert {round(group['lr'], 9) for group in groups} == rates


def test_what_the_user_asked_of_the_run_reaches_a_stage(load_cfg, tmp_path):
    plain = load_cfg(tmp_path)
    plain.randomness = dict(seed=3, deterministic=True)
    cfg = copy.deepcopy(plain)
    cfg.launcher = 'slurm'
    cfg.resume = cfg.compile = True
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.loss_scale = 'dynamic'
    cfg.auto_scale_lr.enable = True
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None

    given = build_stage_cfg(plain, plain.stages[0], str(tmp_path))
    asked = build_stage_cfg(cfg, cfg.stages[0], str(tmp_path))
    assert given.work_dir == asked.work_dir == str(tmp_path / 'pretrain')
    assert given.experiment_name == 'mamp_pretrain'  # the runner adds the time
    assert given.randomness == asked.randomness == plain.randomness
    assert (given.launcher, asked.launcher) == ('none', 'slurm')
    assert (given.resume, asked.resume) == (False, True)
    assert (given.get('compile'), asked.compile) == (None, True)
    assert given.optim_wrapper.type == 'OptimWrapper'
    amp = dict(type='AmpOptimWrapper', loss_scale='dynamic')
    assert asked.optim_wrapper == {**given.optim_wrapper, **amp}
    assert (given.auto_scale_lr.enable, asked.auto_scale_lr.enable) == (False, True)
    assert given.val_cfg and given.val_dataloader and given.val_evaluator
    assert (asked.val_cfg, asked.val_dataloader, asked.val_evaluator) == (None,) * 3

    # the stage's own options have the last word
    cfg.optim_wrapper.dtype = 'bfloat16'
    cfg.stages[0].options = {
        'randomness.seed': 8,
        'resume': False,
        'compile': dict(mode='a'),
        'optim_wrapper.type': 'OptimWrapper',
        'auto_scale_lr': dict(enable=False),
        'val_cfg.bank_dataloader.batch_size': 2,
    }
    own = build_stage_cfg(cfg, cfg.stages[0], str(tmp_path))
    assert own.randomness == dict(seed=8, deterministic=True)
    assert (own.resume, own.compile) == (False, dict(mode='a'))
    assert own.optim_wrapper == given.optim_wrapper
    assert not own.auto_scale_lr.enable
    assert own.val_cfg.bank_dataloader.batch_size == 2 and own.val_dataloader


def test_a_stage_that_starts_from_a_checkpoint_of_its_own(load_cfg, build, trained, tmp_path):
    cfg = load_cfg(tmp_path, SHORT)
    cfg.stages[0].options.update(
        {'load_from': str(trained / 'pretrain/epoch_2.pth'), 'optim_wrapper.optimizer.lr': 0.0}
    )
    cfg.stages[0].options['param_scheduler'] = []
    build(cfg).train()
    expected = encoder(trained / 'pretrain/epoch_2.pth')
    found = encoder(tmp_path / 'pretrain/epoch_1.pth')
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_stages_found_from_elsewhere(load_cfg, build, tmp_path, monkeypatch):
    """From a foreign folder, and by the copy of the config in the work directory."""
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    cfg = load_cfg(tmp_path / 'run', SHORT)
    cfg.work_dir = os.path.relpath(cfg.work_dir)
    build(cfg).train()
    copied = Config.fromfile(tmp_path / 'run/stars.py')
    copied.work_dir = str(tmp_path / 'again')
    build(copied).train()
    assert (tmp_path / 'again/pretrain/epoch_1.pth').is_file()
    assert (
        encoder(tmp_path / 'run/epoch_1.pth').keys()
        == encoder(tmp_path / 'again/epoch_1.pth').keys()
    )


def test_ranks_wait_for_the_checkpoint(two_ranks, tmp_path):
    """Rank 1 does not look before rank 0 has saved."""

    def look(rank):
        if rank == 0:
            time.sleep(0.5)
            (tmp_path / 'epoch_9.pth').touch()
            (tmp_path / 'last_checkpoint').write_text('epoch_9.pth')
        return latest_checkpoint(str(tmp_path))

    assert two_ranks(look) == [str(tmp_path / 'epoch_9.pth')] * 2


@pytest.mark.parametrize('key', ['state_dict', 'model', None])
def test_a_checkpoint_is_read_once(load_cfg, build, trained, tmp_path, monkeypatch, key):
    """However the weights lie in the file."""
    weights = state(trained / 'epoch_4.pth')['state_dict']
    cfg = load_cfg(tmp_path / 'run', dict(load_from=str(tmp_path / 'a.pth')))
    torch.save(weights if key is None else {key: weights}, cfg.load_from)
    runner = build(cfg)
    read, load = [], torch.load
    monkeypatch.setattr(torch, 'load', lambda path, **kw: read.append(path) or load(path, **kw))
    runner.test()
    assert read == [cfg.load_from]
    assert all(torch.equal(value, weights[k]) for k, value in runner.model.state_dict().items())


def test_two_processes(load_cfg, build, two_ranks, tmp_path):
    """Both ranks end with the same weights and queue, no buffer aside."""
    cfg = load_cfg(
        tmp_path, {**SHORT, 'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None}
    )
    cfg.launcher = 'pytorch'

    def train(rank):
        runner = build(cfg)
        runner.train()
        return {
            name: value.tolist()
            for name, value in runner.bare_model.state_dict().items()
            if 'running' not in name  # batch statistics are each rank's own
        }

    first, second = two_ranks(train)
    assert first == second
    saved = state(tmp_path / 'epoch_1.pth')
    assert saved['meta']['iter'] == 2  # 21 clips, 2 ranks, batches of 4
    entered = [idx for idx in first['head.queue.ids'] if idx >= 0]
    assert len(entered) == len(set(entered)) == 16


def test_a_config_for_gpus_trains_on_the_cpu(load_cfg, build, tmp_path):
    options = {'stages': [], 'allow_random_init': True, 'train_cfg.max_epochs': 1}
    gpu = {
        'optim_wrapper.type': 'AmpOptimWrapper',
        'compile': True,
        'optim_wrapper.dtype': 'bfloat16',
        'optim_wrapper.loss_scale': 1.0,
    }
    for name, more in (('plain', {}), ('gpu', gpu)):
        build(load_cfg(tmp_path / name, {**options, **more})).train()
    log = one_log(tmp_path / 'gpu')
    assert 'the training is in single precision' in log
    assert 'nothing is compiled on the CPU' in log
    plain, ours = (
        state(tmp_path / name / 'epoch_1.pth')['state_dict'] for name in ('plain', 'gpu')
    )
    assert all(torch.equal(ours[name], plain[name]) for name in plain)


def test_blocks_of_every_stage_are_compiled(load_cfg, build, tmp_path, monkeypatch):
    """As with a GPU; that compiled blocks compute the same is seen where they are."""
    module = 'stars_mm.engine.runner.staged_runner'
    monkeypatch.setattr(f'{module}.no_accelerator', lambda: False)
    compiled = []
    monkeypatch.setattr(
        f'{module}.compile_blocks',
        lambda model, **options: compiled.append((type(model).__name__, options)) or 2,
    )
    build(load_cfg(tmp_path, {**SHORT, 'compile': dict(mode='a')})).train()
    assert compiled == [('MAMP', dict(mode='a')), ('STARS', dict(mode='a'))]
    assert 'compile: 2 transformer blocks' in one_log(tmp_path)
