"""The tools as a user starts them, on a tiny model of mmaction2's own."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from stars_mm.cli import test, train
from stars_mm.cli.main import parse_command

CONFIG = """
custom_imports = dict(imports=['stars_mm'])
default_scope = 'mmaction'
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN', base_channels=4, num_stages=1, inflate_stages=[], down_stages=[],
        graph_cfg=dict(layout='nturgb+d', mode='stgcn_spatial')),
    cls_head=dict(type='GCNHead', num_classes=2, in_channels=4))
pipeline = [
    dict(type='GenSkeFeat', dataset='nturgb+d', feats=['j']),
    dict(type='UniformSampleFrames', clip_len=8), dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2), dict(type='PackActionInputs')]
dataset = dict(type='PoseDataset', ann_file={ann_file!r}, split='train', pipeline=pipeline)
loader = dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
train_dataloader = dict(loader, dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(loader, dataset=dict(dataset, split='val', test_mode=True))
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='AccMetric')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
auto_scale_lr = dict(enable=False, base_batch_size=8)
randomness = dict(seed=0)
"""


@pytest.fixture
def config(tmp_path, make_clip, write) -> Path:
    """A config on eight clips in the NTU layout."""
    clips = [make_clip(i, (1, 12, 25, 3), label=i % 2) for i in range(8)]
    names = [clip['frame_dir'] for clip in clips]
    path = tmp_path / 'tiny model.py'
    path.write_text(CONFIG.format(ann_file=write(clips, train=names[:4], val=names[4:])))
    return path


PYTORCH = ('--launcher', 'pytorch')


def accuracy(work_dir: Path) -> dict:
    """The accuracies of the last run's test."""
    found = json.loads(max(work_dir.glob('*/*.json')).read_text())
    return {key: value for key, value in found.items() if key[:3] == 'acc'}


@pytest.fixture
def settings(config):
    """``settings('train', words)``: what ``tools/train.py`` makes of a command line."""

    def _settings(name, words='', config=config):
        load_config = dict(train=train, test=test)[name].load_config
        return load_config(parse_command(name, [str(config), *words.split()]))

    return _settings


@pytest.mark.slow
def test_two_processes(config, run_command, stock_tool, repo_root, tmp_path, slurm):
    """Trained by our launcher and by mmaction2's own tool, tested by ours on two processes, by
    torchrun and by Slurm, and by mmaction2's plain test: the independent evidence."""
    tools, ours, theirs = repo_root / 'tools', tmp_path / 'our s', tmp_path / 'theirs'
    run_command('bash', tools / 'dist_train.sh', config, 2, '--work-dir', ours)
    checkpoint = ours / 'epoch_1.pth'
    state = torch.load(checkpoint)
    assert state['meta']['iter'] == 1  # four clips in batches of two: one for two processes

    torchrun = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2')
    train = (*torchrun, *stock_tool('train.py'), config, '--work-dir', theirs, *PYTORCH)
    run_command(sys.executable, *train)
    expected = torch.load(theirs / 'epoch_1.pth')['state_dict']
    assert state['state_dict'].keys() == expected.keys()
    assert all(torch.equal(state['state_dict'][key], expected[key]) for key in expected)

    for name, command, env in (
        ('two', ('bash', tools / 'dist_test.sh', config, checkpoint, 2), {}),
        ('one', (sys.executable, *stock_tool('test.py'), config, checkpoint), {}),
        ('slurm', ('bash', tools / 'slurm_test.sh', 'cpu', 'job', config, checkpoint), slurm),
    ):
        run_command(*command, '--work-dir', tmp_path / name, **env)
    assert 'acc/top1' in accuracy(tmp_path / 'one')
    assert accuracy(tmp_path / 'two') == accuracy(tmp_path / 'slurm') == accuracy(tmp_path / 'one')
    options = '--partition=cpu --job-name=job --gres=gpu:2 --ntasks=2 --ntasks-per-node=2 '
    options += '--cpus-per-task=3 --kill-on-bad-exit=1 --time=10 --qos=low'
    assert Path(slurm['SRUN_LOG']).read_text().split() == options.split()


SRUN = """#!/usr/bin/env bash
# Stands in for Slurm: notes its options, and runs the tasks on this machine.
while [[ $1 == -* ]]; do
    echo "$1" >>"$SRUN_LOG"
    [[ $1 == --ntasks=* ]] && ntasks=${1#*=}
    shift
done
export SLURM_JOB_ID=$RANDOM SLURM_NTASKS=$ntasks SLURM_NODELIST=localhost
for ((i = 0; i < ntasks; i++)); do
    SLURM_PROCID=$i SLURM_LOCALID=$i "$@" &
    tasks+=($!)
done
for task in "${tasks[@]}"; do wait "$task" || exit; done
"""


@pytest.fixture
def slurm(tmp_path) -> dict:
    """An environment with stand-ins for ``srun`` and ``scontrol``."""
    for name, text in dict(srun=SRUN, scontrol='#!/bin/sh\necho 127.0.0.1\n').items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ['PATH']])
    env = dict(GPUS='2', CPUS_PER_TASK='3', SRUN_ARGS='--time=10 --qos=low', PATH=path)
    return dict(env, SRUN_LOG=str(tmp_path / 'srun.log'))


@pytest.fixture
def stand_in(tmp_path):
    """``stand_in(line)``: the path of a shell script in place of Python, which by default prints
    its command line."""

    def _make(line='printf "%s|" "$MASTER_PORT" "$@"') -> str:
        path = tmp_path / 'python'
        path.write_text(f'#!/bin/sh\n{line}\n')
        path.chmod(0o755)
        return str(path)

    return _make


def test_slurm_train_starts_train(repo_root, run_command, slurm, stand_in):
    command = ('bash', repo_root / 'tools/slurm_train.sh', 'gpu', 'job', 'my config.py', '--amp')
    done = run_command(*command, **dict(slurm, GPUS='1', PYTHON=stand_in()))
    port, *command = done.stdout.strip('|').split('|')
    assert 20000 <= int(port) < 40000
    train = str(repo_root / 'tools/train.py')
    assert command == ['-u', train, 'my config.py', '--amp', '--launcher', 'slurm']
    assert '--gres=gpu:1' in Path(slurm['SRUN_LOG']).read_text()


def test_torchrun_command(repo_root, run_command, stand_in):
    script, python = repo_root / 'tools/dist_train.sh', stand_in()
    tool = [str(repo_root / 'tools/train.py'), 'a b.py', '--resume', *PYTORCH]
    first = '10.0.0.1'
    for env, expected in (
        ({}, '--nnodes=1 --standalone'),
        (dict(PORT='123'), '--nnodes=1 --node_rank=0 --master_port=123 --master_addr=127.0.0.1'),
        (
            dict(NNODES='2', NODE_RANK='1', MASTER_ADDR=first),
            f'--nnodes=2 --node_rank=1 --master_port=29500 --master_addr={first}',
        ),
    ):
        done = run_command('bash', script, 'a b.py', 4, '--resume', PYTHON=python, **env)
        start = ['-m', 'torch.distributed.run', *expected.split(), '--nproc_per_node=4']
        assert done.stdout.strip('|').split('|') == start + tool


def test_missing_arguments(repo_root, run_command):
    for command in ('dist_train.sh config.py --amp', 'dist_test.sh a.py b.pth', 'slurm_train.sh g'):
        script, *arguments = command.split()
        done = run_command('bash', repo_root / 'tools' / script, *arguments, check=False)
        assert done.returncode == 2
        assert f'tools/{script} ' in done.stderr or "'--amp'" in done.stderr


def test_train_settings(config, settings, tmp_path):
    cfg = settings('train')
    assert cfg.work_dir == 'work_dirs/tiny model'
    assert cfg.randomness == dict(seed=0) and not cfg.get('resume')

    options = '--work-dir here --resume --amp --no-validate --auto-scale-lr --seed 7 '
    options += '--diff-rank-seed --deterministic '
    options += '--cfg-options work_dir=there randomness.seed=5 optim_wrapper.optimizer.lr=0.5'
    cfg = settings('train', options)
    assert cfg.work_dir == 'here' and cfg.resume is True and cfg.load_from is None
    wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic')
    assert cfg.optim_wrapper == dict(wrapper, optimizer=dict(type='SGD', lr=0.5))
    assert (cfg.val_cfg, cfg.val_dataloader, cfg.val_evaluator) == (None,) * 3
    assert cfg.auto_scale_lr.enable is True
    assert cfg.randomness == dict(seed=7, diff_rank_seed=True, deterministic=True)

    cfg = settings('train', '--resume e.pth --cfg-options work_dir=there')
    assert cfg.resume is True and cfg.load_from == 'e.pth' and cfg.work_dir == 'there'

    options = f'--work-dir {tmp_path} --resume --cfg-options load_from=stage1.pth'
    cfg = settings('train', options)
    assert not cfg.resume and cfg.load_from == 'stage1.pth'
    (tmp_path / 'last_checkpoint').write_text('/moved/epoch_1.pth')
    torch.save(dict(state_dict=dict(a=torch.zeros(1))), tmp_path / 'epoch_1.pth')
    cfg = settings('train', options)
    assert cfg.resume and cfg.load_from is None

    with pytest.raises(ValueError, match="'ApexOptimWrapper'"):
        settings('train', '--amp --cfg-options optim_wrapper.type=ApexOptimWrapper')
    bare = config.with_name('bare.py')
    bare.write_text('optim_wrapper = dict()')
    with pytest.raises(ValueError, match='auto_scale_lr'):
        settings('train', '--auto-scale-lr', bare)


def test_test_settings(settings):
    options = 'epoch_1.pth --dump out.pkl --show-dir pictures --interval 5 '
    options += '--cfg-options default_hooks.visualization.type=VisualizationHook'
    cfg = settings('test', options)
    assert cfg.load_from == 'epoch_1.pth'
    assert [evaluator['type'] for evaluator in cfg.test_evaluator] == ['AccMetric', 'DumpResults']
    assert cfg.test_evaluator[1]['out_file_path'] == 'out.pkl'
    drawn = dict(enable=True, show=False, out_dir='pictures', interval=5, wait_time=2)
    assert cfg.default_hooks.visualization == dict(type='VisualizationHook', **drawn)
    with pytest.raises(ValueError, match='visualization'):
        settings('test', 'epoch_1.pth --show')
    cfg = settings('test', 'last.pth --dump out.json')
    assert cfg.test_evaluator[-1] == dict(type='ClassifierPredictions', out_file_path='out.json')
    cfg = settings('test', 'last.pth --dump out.json --cfg-options test_cfg.bank_dataloader.a=1')
    assert cfg.test_evaluator[-1]['type'] == 'FeaturePredictions'
    with pytest.raises(ValueError, match="'out.txt' does not end in .json"):
        settings('test', 'last.pth --dump out.txt')


@pytest.mark.parametrize(
    ('installed', 'left_out'),
    [('mmcv', ['mmcv-lite']), ('onedl-mmengine', ['mmcv-lite', 'mmengine']), ('no', [])],
)
def test_what_fills_a_folder_is_not_overwritten(
    repo_root, run_command, stand_in, tmp_path, installed, left_out
):
    """``pip show`` decides whether mmcv-lite and mmengine are installed."""
    stand_in(f'[ "$*" = "-m pip show --quiet {installed}" ]')
    path = os.pathsep.join([str(tmp_path), os.environ['PATH']])
    done = run_command('bash', '-c', f'source "{repo_root}/tools/_env.sh"; _stars_lock', PATH=path)
    lock = (repo_root / 'requirements' / 'lock.txt').read_text().splitlines()
    expected = [line for line in lock if line.split('==')[0] not in left_out]
    assert done.stdout.splitlines() == expected


def test_unfit_python_is_named(repo_root, run_command, stand_in):
    """An interpreter whose every check fails, where no environment is on."""
    python = stand_in('[ "$1" = --version ] && echo Python 3.99')
    env = dict(VIRTUAL_ENV='', CONDA_DEFAULT_ENV='', PYTHON=python)
    script = f'source "{repo_root}/tools/_env.sh"; stars_env'
    done = run_command('bash', '-c', script, check=False, **env)
    assert done.returncode == 1 and 'is Python 3.99' in done.stderr
    assert 'needs Python 3.10, 3.11 or 3.12' in done.stderr
