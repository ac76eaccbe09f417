"""Trainings in processes of their own, ended from outside."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stars_mm.engine.runner.last_checkpoint import latest_checkpoint

pytestmark = pytest.mark.slow
LONG = ['--cfg-options', 'stages.0.options.train_cfg.max_epochs=100000']


@pytest.fixture
def launch(recipe, repo_root, tmp_path):
    """``launch('--resume')`` starts a long training of two ranks; gives torchrun's process."""
    started = []

    def _launch(*options: str) -> subprocess.Popen:
        command = ['bash', repo_root / 'tools/dist_train.sh', recipe, '2', '--work-dir', 'run']
        paths = os.pathsep.join([str(repo_root), *filter(None, sys.path)])
        env = dict(os.environ, PYTHON=sys.executable, PYTHONPATH=paths, OMP_NUM_THREADS='1')
        with open(tmp_path / f'{len(started)}.log', 'w') as log:
            process = subprocess.Popen(
                [*map(str, command), *options],
                cwd=tmp_path,
                env={**env, 'CUDA_VISIBLE_DEVICES': ''},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield _launch
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait(happened: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def ranks(launcher: int) -> list[int]:
    """The processes that a process started."""
    found = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(launcher)], capture_output=True)
    return [int(pid) for pid in found.stdout.split()]


def is_there(pid: int) -> bool:
    try:
        return Path(f'/proc/{pid}/stat').read_text().split()[2] != 'Z'
    except OSError:
        return False


@pytest.mark.parametrize(
    'name, late',
    [
        ('epoch_3.pth', False),  # written aside
        ('epoch_3.pth', True),  # there, and not yet pointed to
        ('last_checkpoint', True),  # and the one before not yet removed
    ],
)
def test_killed_while_it_saves(name, late, load_cfg, build, trained, tmp_path, assert_same_run):
    options = {'default_hooks.checkpoint.max_keep_ckpts': 1}
    pid = os.fork()
    if not pid:
        replace = os.replace

        def replace_and_die(source, target):
            is_third = Path(target).name == name and (tmp_path / 'epoch_2.pth').exists()
            if late or not is_third:
                replace(source, target)
            # the second epoch has its pointer, too
            if is_third and list(tmp_path.glob('epoch_3.pth*')):
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = replace_and_die
        try:
            build(load_cfg(tmp_path, options, 'mamp')).train()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    found = {path.name for path in tmp_path.glob('epoch_*')}
    third = 'epoch_3.pth' if late else f'epoch_3.pth.{pid}.partial'
    assert found == {'epoch_2.pth', third}
    step = 3 if name == 'last_checkpoint' else 2
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / f'epoch_{step}.pth')
    build(load_cfg(tmp_path, {**options, 'resume': True}, 'mamp')).train()
    assert_same_run(tmp_path, trained / 'pretrain')
    assert [path.name for path in tmp_path.glob('epoch_*')] == ['epoch_4.pth']


@pytest.mark.skipif(not Path('/proc/self').exists(), reason='looks into /proc')
def test_launcher_ends(launch, tmp_path):
    """By a signal for the ranks, or killed: both save the iteration they agree on, and end."""
    stage = tmp_path / 'run/pretrain'
    first = launch(*LONG)
    wait(lambda: list(stage.glob('epoch_5*.pth')))
    first.send_signal(signal.SIGUSR1)
    assert first.wait(60) == 1  # it waited for its ranks
    saved = Path(latest_checkpoint(str(stage)))
    assert re.fullmatch(r'iter_\d+', saved.stem) and len(torch.load(saved)['random_states']) == 2
    log = (tmp_path / '0.log').read_text()
    assert f'SIGUSR1: the training ends with exit status 138. Its last checkpoint is {saved}' in log

    number = int(saved.stem.split('_')[1])
    second = launch(*LONG, '--resume')
    wait(lambda: list(stage.glob('epoch_*.pth')) and not saved.exists())
    pids = ranks(second.pid)
    assert len(pids) == 2
    os.kill(second.pid, signal.SIGKILL)
    wait(lambda: not any(map(is_there, pids)), 30)
    saved = Path(latest_checkpoint(str(stage)))
    assert saved.stem.startswith('iter_') and int(saved.stem.split('_')[1]) > number
