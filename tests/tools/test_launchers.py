"""The tools as a user starts them, on a tiny model of mmaction2's own."""

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import mmaction
import numpy as np
import pytest
import torch

CONFIG = """
custom_imports = dict(imports=['stars_mm'])
default_scope = 'mmaction'
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='STGCN', base_channels=4, num_stages=1, inflate_stages=[],
        down_stages=[],
        graph_cfg=dict(layout='nturgb+d', mode='stgcn_spatial')),
    cls_head=dict(type='GCNHead', num_classes=2, in_channels=4))
pipeline = [
    dict(type='GenSkeFeat', dataset='nturgb+d', feats=['j']),
    dict(type='UniformSampleFrames', clip_len=8),
    dict(type='PoseDecode'),
    dict(type='FormatGCNInput', num_person=2),
    dict(type='PackActionInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='PoseDataset', ann_file={ann_file!r}, split='train',
                 pipeline=pipeline))
val_dataloader = test_dataloader = dict(
    batch_size=2, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='PoseDataset', ann_file={ann_file!r}, split='val',
                 pipeline=pipeline, test_mode=True))
val_evaluator = test_evaluator = dict(type='AccMetric')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
auto_scale_lr = dict(enable=False, base_batch_size=8)
default_hooks = dict(checkpoint=dict(type='CheckpointHook'))
env_cfg = dict(dist_cfg=dict(backend='nccl'))
randomness = dict(seed=0)
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    """A config on eight clips in the NTU layout."""
    folder = tmp_path_factory.mktemp('tiny')
    rng = np.random.default_rng(0)
    names = [f'S001C001P{i:03d}R001A{i % 2 + 1:03d}' for i in range(8)]
    annotations = [
        dict(
            frame_dir=name,
            label=i % 2,
            total_frames=12,
            keypoint=rng.normal(size=(1, 12, 25, 3)).astype(np.float32),
        )
        for i, name in enumerate(names)
    ]
    ann_file = folder / 'tiny.pkl'
    split = dict(train=names[:4], val=names[4:])
    ann_file.write_bytes(pickle.dumps(dict(split=split, annotations=annotations)))
    path = folder / 'tiny model.py'
    path.write_text(CONFIG.format(ann_file=str(ann_file)))
    return path


@pytest.fixture(scope='module')
def trained(config, repo_root, tmp_path_factory) -> Path:
    """The work directory of ``dist_train.sh`` with two processes."""
    work_dir = tmp_path_factory.mktemp('work dir')
    run(
        [
            'bash',
            repo_root / 'tools/dist_train.sh',
            config,
            '2',
            '--work-dir',
            work_dir,
            '--cfg-options',
            'experiment_name=tiny',
        ],
        cwd=config.parent,
    )
    return work_dir


def run(command, cwd, check=True, **env) -> subprocess.CompletedProcess:
    """Runs a command on the CPU, with this Python, in its own session."""
    env = {
        **os.environ,
        'PYTHON': sys.executable,
        'PYTHONPATH': os.pathsep.join(p for p in sys.path if p),
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        **env,
    }
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert not check or process.returncode == 0, err[-3000:]
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def metrics(work_dir: Path) -> dict:
    """The scalars of the last run's test."""
    return json.loads(max(work_dir.glob('*/*.json')).read_text())


def log(work_dir: Path) -> str:
    return max(work_dir.glob('*/*.log')).read_text()


def load(repo_root, name):
    """``tools/<name>.py`` as a module."""
    spec = importlib.util.spec_from_file_location(
        f'tools_{name}', repo_root / 'tools' / f'{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings(repo_root, name, *argv):
    tool = load(repo_root, name)
    return tool.load_config(tool.parse_args([str(arg) for arg in argv]))


def test_two_processes_share_the_work(trained):
    """Four clips in batches of two: one iteration for two processes."""
    state = torch.load(trained / 'epoch_1.pth')
    assert state['meta']['iter'] == 1
    assert state['meta']['experiment_name'].startswith('tiny_')
    assert 'Distributed training: True' in log(trained)
    assert 'GPU number: 2' in log(trained)
    assert not any(key.startswith('module.') for key in state['state_dict'])


def test_same_result_on_one_and_two_processes(config, trained, repo_root):
    """The plain test of mmaction2 is the independent evidence."""
    checkpoint = trained / 'epoch_1.pth'
    run(
        [
            'bash',
            repo_root / 'tools/dist_test.sh',
            config,
            checkpoint,
            '2',
            '--work-dir',
            trained / 'two',
        ],
        cwd=config.parent,
    )
    stock = Path(mmaction.__file__).parent / '.mim/tools/test.py'
    run(
        [sys.executable, stock, config, checkpoint, '--work-dir', trained / 'one'],
        cwd=config.parent,
    )
    two, one = metrics(trained / 'two'), metrics(trained / 'one')
    assert 'acc/top1' in one
    assert {key: value for key, value in two.items() if key[:3] == 'acc'} == {
        key: value for key, value in one.items() if key[:3] == 'acc'
    }


def test_mmaction2s_train_under_torchrun(config, trained, tmp_path):
    """The same two processes and seed give the same weights by its tool."""
    stock = Path(mmaction.__file__).parent / '.mim/tools/train.py'
    run(
        [
            sys.executable,
            '-m',
            'torch.distributed.run',
            '--standalone',
            '--nproc_per_node=2',
            stock,
            config,
            '--work-dir',
            tmp_path,
            '--launcher',
            'pytorch',
        ],
        cwd=config.parent,
    )
    ours = torch.load(trained / 'epoch_1.pth')['state_dict']
    theirs = torch.load(tmp_path / 'epoch_1.pth')['state_dict']
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


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
    return dict(
        PATH=os.pathsep.join([str(tmp_path), os.environ['PATH']]),
        SRUN_LOG=str(tmp_path / 'srun.log'),
    )


def test_slurm_test(config, trained, repo_root, slurm):
    run(
        [
            'bash',
            repo_root / 'tools/slurm_test.sh',
            'cpu',
            'job',
            config,
            trained / 'epoch_1.pth',
            '--work-dir',
            trained / 'slurm',
        ],
        cwd=config.parent,
        GPUS='2',
        CPUS_PER_TASK='3',
        SRUN_ARGS='--time=10 --qos=low',
        **slurm,
    )
    assert Path(slurm['SRUN_LOG']).read_text().split() == [
        '--partition=cpu',
        '--job-name=job',
        '--gres=gpu:2',
        '--ntasks=2',
        '--ntasks-per-node=2',
        '--cpus-per-task=3',
        '--kill-on-bad-exit=1',
        '--time=10',
        '--qos=low',
    ]
    assert 'GPU number: 2' in log(trained / 'slurm')


def test_slurm_train_starts_train(repo_root, slurm, tmp_path):
    """Its command line, with a stand-in for Python too."""
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nprintf "%s|" "$MASTER_PORT" "$@"\n')
    python.chmod(0o755)
    result = run(
        ['bash', 'slurm_train.sh', 'gpu', 'job', 'my config.py', '--amp'],
        cwd=repo_root / 'tools',
        GPUS='1',
        **{**slurm, 'PYTHON': str(python)},
    )
    port, *command = result.stdout.strip('|').split('|')
    assert 20000 <= int(port) < 40000
    assert command == [
        '-u',
        str(repo_root / 'tools' / 'train.py'),
        'my config.py',
        '--amp',
        '--launcher',
        'slurm',
    ]
    assert '--gres=gpu:1' in Path(slurm['SRUN_LOG']).read_text()


@pytest.mark.parametrize(
    'env, expected',
    [
        ({}, ['--nnodes=1', '--standalone']),
        (
            dict(PORT='123'),
            ['--nnodes=1', '--node_rank=0', '--master_port=123', '--master_addr=127.0.0.1'],
        ),
        (
            dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1'),
            ['--nnodes=2', '--node_rank=1', '--master_port=29500', '--master_addr=10.0.0.1'],
        ),
    ],
)
def test_torchrun_command(repo_root, tmp_path, env, expected):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    python.chmod(0o755)
    result = run(
        ['bash', repo_root / 'tools/dist_train.sh', 'a b.py', '4', '--resume'],
        cwd=tmp_path,
        **env,
        PYTHON=str(python),
    )
    assert result.stdout.strip('|').split('|') == [
        '-m',
        'torch.distributed.run',
        *expected,
        '--nproc_per_node=4',
        str(repo_root / 'tools' / 'train.py'),
        'a b.py',
        '--resume',
        '--launcher',
        'pytorch',
    ]


@pytest.mark.parametrize(
    'script, arguments',
    [
        ('dist_train.sh', ['config.py']),
        ('dist_train.sh', ['config.py', '--amp']),
        ('dist_test.sh', ['config.py', 'epoch_1.pth']),
        ('slurm_train.sh', ['gpu', 'job']),
        ('slurm_test.sh', ['gpu', 'job', 'config.py']),
    ],
)
def test_missing_arguments(repo_root, tmp_path, script, arguments):
    result = run(['bash', repo_root / 'tools' / script, *arguments], cwd=tmp_path, check=False)
    assert result.returncode == 2
    assert f'tools/{script} ' in result.stderr or "'--amp'" in result.stderr
    assert '#' not in result.stderr


def test_train_settings(config, repo_root):
    cfg = settings(repo_root, 'train', config)
    assert cfg.work_dir == 'work_dirs/tiny model'
    assert cfg.randomness == dict(seed=0)
    assert not cfg.get('resume')

    cfg = settings(
        repo_root,
        'train',
        config,
        '--work-dir',
        'here',
        '--resume',
        '--amp',
        '--no-validate',
        '--auto-scale-lr',
        '--seed',
        '7',
        '--diff-rank-seed',
        '--deterministic',
        '--cfg-options',
        'work_dir=there',
        'randomness.seed=5',
        'optim_wrapper.optimizer.lr=0.5',
    )
    assert cfg.work_dir == 'here'
    assert cfg.resume is True and cfg.load_from is None
    assert cfg.optim_wrapper == dict(
        type='AmpOptimWrapper', loss_scale='dynamic', optimizer=dict(type='SGD', lr=0.5)
    )
    assert (cfg.val_cfg, cfg.val_dataloader, cfg.val_evaluator) == (None,) * 3
    assert cfg.auto_scale_lr.enable is True
    assert cfg.randomness == dict(seed=7, diff_rank_seed=True, deterministic=True)

    cfg = settings(repo_root, 'train', config, '--resume', 'epoch_3.pth')
    assert cfg.resume is True and cfg.load_from == 'epoch_3.pth'
    cfg = settings(repo_root, 'train', config, '--cfg-options', 'work_dir=there')
    assert cfg.work_dir == 'there'


def test_train_resumes_what_starts_from_a_checkpoint(config, repo_root, tmp_path):
    arguments = [
        config,
        '--work-dir',
        str(tmp_path),
        '--resume',
        '--cfg-options',
        'load_from=stage1.pth',
    ]
    cfg = settings(repo_root, 'train', *arguments)
    assert not cfg.resume and cfg.load_from == 'stage1.pth'
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    cfg = settings(repo_root, 'train', *arguments)
    assert cfg.resume and cfg.load_from is None


def test_train_refuses(config, repo_root):
    with pytest.raises(ValueError, match="'ApexOptimWrapper'"):
        settings(
            repo_root,
            'train',
            config,
            '--amp',
            '--cfg-options',
            'optim_wrapper.type=ApexOptimWrapper',
        )
    bare = config.with_name('bare.py')
    bare.write_text('optim_wrapper = dict()')
    with pytest.raises(KeyError, match='auto_scale_lr'):
        settings(repo_root, 'train', bare, '--auto-scale-lr')


def test_test_settings(config, repo_root):
    cfg = settings(
        repo_root,
        'test',
        config,
        'epoch_1.pth',
        '--dump',
        'out.pkl',
        '--show-dir',
        'pictures',
        '--interval',
        '5',
        '--cfg-options',
        'default_hooks.visualization.type=VisualizationHook',
    )
    assert cfg.load_from == 'epoch_1.pth'
    assert [evaluator['type'] for evaluator in cfg.test_evaluator] == ['AccMetric', 'DumpResults']
    assert cfg.test_evaluator[1]['out_file_path'] == 'out.pkl'
    assert cfg.default_hooks.visualization == dict(
        type='VisualizationHook',
        enable=True,
        show=False,
        out_dir='pictures',
        interval=5,
        wait_time=2,
    )

    with pytest.raises(KeyError, match='visualization'):
        settings(repo_root, 'test', config, 'epoch_1.pth', '--show')
    with pytest.raises(ValueError, match="'out.json'"):
        settings(repo_root, 'test', config, 'last.pth', '--dump', 'out.json')


@pytest.mark.parametrize('full_mmcv', [True, False])
def test_full_mmcv_is_not_overwritten(repo_root, tmp_path, full_mmcv):
    """``pip show mmcv`` decides whether mmcv-lite is installed."""
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\n[ "$*" = "-m pip show --quiet mmcv" ] && {full_mmcv}\n'.lower())
    python.chmod(0o755)
    result = run(
        ['bash', '-c', f'source "{repo_root}/tools/_env.sh"; _stars_lock'],
        cwd=tmp_path,
        PATH=os.pathsep.join([str(tmp_path), os.environ['PATH']]),
    )
    lock = (repo_root / 'requirements' / 'lock.txt').read_text().splitlines()
    assert result.stdout.splitlines() == [
        line for line in lock if not full_mmcv or 'mmcv-lite' not in line
    ]


def test_unfit_python_is_named(repo_root, tmp_path):
    """An interpreter whose every check fails, where no environment is on."""
    python = tmp_path / 'python3.99'
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.99\n')
    python.chmod(0o755)
    result = run(
        ['bash', '-c', f'source "{repo_root}/tools/_env.sh"; stars_env'],
        cwd=tmp_path,
        check=False,
        VIRTUAL_ENV='',
        CONDA_DEFAULT_ENV='',
        PYTHON=str(python),
    )
    assert result.returncode == 1
    assert 'needs Python 3.10, 3.11 or 3.12' in result.stderr
    assert 'is Python 3.99' in result.stderr
