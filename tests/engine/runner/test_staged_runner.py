import copy
import glob
import json
import os
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from stars_mm.engine.runner.last_checkpoint import latest_checkpoint
from stars_mm.engine.runner.stages import build_stage_cfg
from stars_mm.models import LinearProbeHead
from stars_mm.utils import weights_file

SHORT = {'train_cfg.max_epochs': 1, 'stages.0.options': {'train_cfg': dict(max_epochs=1)}}
NO_VAL = dict(val_cfg=None, val_dataloader=None, val_evaluator=None)


def test_three_stages(load_cfg, build, recipe, trained, tmp_path):
    """The first starts from a checkpoint of its own, each other one from the one before."""
    cfg = load_cfg(tmp_path, SHORT)
    cfg.optim_wrapper.optimizer.lr = 0.0
    start = trained / 'pretrain/epoch_2.pth'
    options = {'optim_wrapper.optimizer.lr': 0.0, 'param_scheduler': [], 'load_from': str(start)}
    cfg.stages[0].options.update(options)
    options = {'stages': [], 'train_cfg.max_epochs': 1}
    options['optim_wrapper.paramwise_cfg.num_trainable_layers'] = 0
    cfg.stages.append(dict(name='head', config=str(recipe), options=options))
    build(cfg).train()
    paths = [start, *(tmp_path / name / 'epoch_1.pth' for name in ('pretrain', 'head', ''))]
    given, first, middle, last = [torch.load(path)['state_dict'] for path in paths]
    torch.testing.assert_close(first, given, rtol=0, atol=0)
    for name in last:
        if name.startswith('backbone.blocks'):
            assert torch.equal(middle[name], first[name]), name
        if not name.startswith('head.queue') and 'running' not in name and 'tracked' not in name:
            assert torch.equal(last[name], middle[name]), name
    assert not torch.equal(middle['backbone.norm.weight'], first['backbone.norm.weight'])


def test_a_cheap_stage_1(load_cfg, build, tmp_path):
    """The same seed draws the same tokens to predict."""
    options = {'model.neck.type': 'MAMPCrossDecoder', 'model.head.norm_target': 'clip'}
    for name in ('run', 'again'):
        cfg = load_cfg(tmp_path / name, {**SHORT, **NO_VAL, 'randomness.seed': 3})
        cfg.stages[0].options.update(options)
        build(cfg).train()
    found, again = (
        torch.load(tmp_path / name / 'pretrain/epoch_1.pth')['state_dict']
        for name in ('run', 'again')
    )
    assert 'neck.blocks.0.cross_attn.q.weight' in found
    torch.testing.assert_close(found, again, rtol=0, atol=0)
    tuned = torch.load(tmp_path / 'run/epoch_1.pth')['state_dict']
    name = 'backbone.blocks.0.mlp.fc1.weight'  # stage 2 tunes the last block alone
    assert torch.equal(tuned[name], found[name])


def test_seed_logs_and_global_instances(load_cfg, build, trained, tmp_path, assert_same_run):
    runner = build(load_cfg(tmp_path, {**SHORT, 'randomness.seed': 7}))
    runner.train()
    assert MMLogger.get_current_instance() is runner.logger
    assert MessageHub.get_current_instance() is runner.message_hub
    assert Visualizer.get_current_instance() is runner.visualizer
    assert DefaultScope.get_current_instance() is runner.default_scope
    assert runner.message_hub.get_info('epoch') == 0
    LinearProbeHead(2, in_channels=3).init_weights()  # writes to the file that is current
    build(load_cfg(tmp_path / 'next', {**NO_VAL, 'experiment_name': 'next'}))
    opened = {os.path.realpath(path) for path in glob.glob('/proc/self/fd/*')}
    for stage in ('', 'pretrain'):
        (log,) = (tmp_path / stage).glob('*/*.log')
        assert str(log) not in opened
        assert log.read_text().count('Epoch(train) [1]') == 1
        (scalars,) = (tmp_path / stage).glob('*/vis_data/scalars.json')
        assert sum('loss' in json.loads(line) for line in scalars.read_text().splitlines()) == 1
        assert torch.load(tmp_path / stage / 'epoch_1.pth')['meta']['seed'] == 7
        with pytest.raises(AssertionError):
            assert_same_run(tmp_path / stage, trained / stage, 1)
    runner.logger.info('afterwards')  # opens the log again
    (log,) = tmp_path.glob('*/*.log')
    assert all(log.read_text().count(part) == 1 for part in ('fc.1.weight', 'afterwards'))


def test_scaled_learning_rates(load_cfg, build, tmp_path):
    """A batch of 4 where the rates are for 8 halves them, in stages too."""
    scale = dict(enable=True, base_batch_size=8)
    stage = dict(train_cfg=dict(max_epochs=1), auto_scale_lr=dict(base_batch_size=8))
    options = {**SHORT, 'auto_scale_lr': scale, 'stages.0.options': dict(stage, param_scheduler=[])}
    build(load_cfg(tmp_path, options)).train()
    for stage, rates in (('pretrain', {5e-4}), ('', {5e-4, 2.25e-4})):
        groups = torch.load(tmp_path / stage / 'epoch_1.pth')['optimizer']['param_groups']
        assert {round(group['lr'], 9) for group in groups} == rates


def test_what_the_user_asked_of_the_run_reaches_a_stage(load_cfg, tmp_path):
    plain = load_cfg(tmp_path)
    plain.randomness = dict(seed=3, deterministic=True)
    cfg = copy.deepcopy(plain)
    amp = dict(type='AmpOptimWrapper', loss_scale='dynamic')
    asked = dict(launcher='slurm', resume=True, compile=True)
    cfg.merge_from_dict(dict(asked, optim_wrapper=amp, auto_scale_lr=dict(enable=True)))
    cfg.update(NO_VAL)

    given = build_stage_cfg(plain, plain.stages[0], str(tmp_path))
    found = build_stage_cfg(cfg, cfg.stages[0], str(tmp_path))
    assert given.work_dir == found.work_dir == str(tmp_path / 'pretrain')
    assert given.experiment_name == 'mamp_pretrain'  # the runner adds the time
    assert given.randomness == found.randomness == plain.randomness
    assert [given.get(key) for key in asked] == ['none', False, None]
    assert {key: found.get(key) for key in asked} == asked
    assert given.optim_wrapper.type == 'OptimWrapper'
    assert found.optim_wrapper == {**given.optim_wrapper, **amp}
    assert (given.auto_scale_lr.enable, found.auto_scale_lr.enable) == (False, True)
    assert all(given[key] and found[key] is None for key in NO_VAL)

    # the stage's own options have the last word
    cfg.optim_wrapper.dtype = 'bfloat16'
    more = {'auto_scale_lr.enable': False, 'val_cfg.bank_dataloader.batch_size': 2}
    more.update({'randomness.seed': 8, 'optim_wrapper.type': 'OptimWrapper'})
    cfg.stages[0].options = dict(more, resume=False, compile=dict(mode='a'))
    own = build_stage_cfg(cfg, cfg.stages[0], str(tmp_path))
    assert own.randomness == dict(seed=8, deterministic=True)
    assert (own.resume, own.compile) == (False, dict(mode='a'))
    assert own.optim_wrapper == given.optim_wrapper and not own.auto_scale_lr.enable
    assert own.val_cfg.bank_dataloader.batch_size == 2 and own.val_dataloader


def test_stages_found_from_elsewhere(load_cfg, build, tmp_path, monkeypatch):
    """From a foreign folder, and by the copy of the config in the work directory."""
    monkeypatch.chdir(tmp_path)
    cfg = load_cfg(tmp_path / 'run', SHORT)
    cfg.work_dir = os.path.relpath(cfg.work_dir)
    build(cfg).train()
    copied = Config.fromfile(tmp_path / 'run/stars.py')
    copied.work_dir = str(tmp_path / 'again')
    build(copied).train()
    assert (tmp_path / 'again/pretrain/epoch_1.pth').is_file()


def test_ranks_wait_for_the_checkpoint(two_ranks, tmp_path):
    """Rank 1 does not look before rank 0 has saved."""

    def look(rank):
        if rank == 0:
            time.sleep(0.5)
            torch.save(dict(state_dict={}), tmp_path / 'epoch_9.pth')
            (tmp_path / 'last_checkpoint').write_text('epoch_9.pth')
        return latest_checkpoint(str(tmp_path))

    assert two_ranks(look) == [str(tmp_path / 'epoch_9.pth')] * 2


def test_a_checkpoint_is_read_once(load_cfg, build, trained, tmp_path, monkeypatch):
    """However the weights lie in the file."""
    weights = torch.load(trained / 'epoch_4.pth')['state_dict']
    cfg = load_cfg(tmp_path / 'run', dict(load_from=str(tmp_path / 'a.pth')))
    torch.save(weights, cfg.load_from)
    runner = build(cfg)
    read, load = [], weights_file.read_torch_file
    monkeypatch.setattr(
        weights_file, 'read_torch_file', lambda path, *args: read.append(path) or load(path, *args)
    )
    runner.test()
    assert read == [Path(cfg.load_from)]
    torch.testing.assert_close(dict(runner.model.state_dict()), dict(weights), rtol=0, atol=0)


def test_two_processes(load_cfg, build, two_ranks, tmp_path):
    """Both ranks end with the same weights and queue, no buffer aside."""
    cfg = load_cfg(tmp_path, {**SHORT, **NO_VAL})
    cfg.launcher = 'pytorch'

    def train(rank):
        runner = build(cfg)
        runner.train()
        state = runner.bare_model.state_dict()  # whose batch statistics are each rank's own
        return {name: value.tolist() for name, value in state.items() if 'running' not in name}

    first, second = two_ranks(train)
    assert first == second
    saved = torch.load(tmp_path / 'epoch_1.pth')
    assert saved['meta']['iter'] == 2  # 21 clips, 2 ranks, batches of 4
    entered = [idx for idx in first['head.queue.ids'] if idx >= 0]
    assert len(entered) == len(set(entered)) == 16


def test_a_config_for_gpus_trains_on_the_cpu(load_cfg, build, tmp_path):
    options = {'stages': [], 'allow_random_init': True, 'train_cfg.max_epochs': 1}
    amp = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)
    for name, more in (('plain', {}), ('gpu', dict(optim_wrapper=amp, compile=True))):
        build(load_cfg(tmp_path / name, {**options, **more})).train()
    plain, ours = (torch.load(tmp_path / f'{name}/epoch_1.pth') for name in ('plain', 'gpu'))
    torch.testing.assert_close(ours['state_dict'], plain['state_dict'], rtol=0, atol=0)


def test_blocks_of_every_stage_are_compiled(load_cfg, build, tmp_path, monkeypatch):
    """As with a GPU; that compiled blocks compute the same is seen where they are."""
    module = 'stars_mm.engine.runner.staged_runner'
    monkeypatch.setattr(f'{module}.no_accelerator', lambda: False)
    compiled = []

    def compile_blocks(model, mode):
        compiled.append((type(model).__name__, mode))
        return 2

    monkeypatch.setattr(f'{module}.compile_blocks', compile_blocks)
    build(load_cfg(tmp_path, {**SHORT, 'compile': dict(mode='a')})).train()
    assert compiled == [('MAMP', 'a'), ('STARS', 'a')]
