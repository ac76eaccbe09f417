"""A run that a signal stops is the run that was not stopped."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from stars_mm.engine import stop_signal
from stars_mm.engine.runner.last_checkpoint import latest_checkpoint
from stars_mm.engine.stop_signal import STOP_SIGNAL

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


@HOOKS.register_module(force=True)
class SendSignal(Hook):
    """Sends this process and its workers a signal at an iteration of an epoch, or at a validation,
    as Slurm does."""

    def __init__(self, number: int, epoch: int, batch_idx: int, mode: str = 'train') -> None:
        self.number, self.place, self.mode = number, (epoch, batch_idx), mode

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if self.mode == 'train' and (runner.epoch, batch_idx) == self.place:
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, self.number)
            os.kill(os.getpid(), self.number)
            time.sleep(0.5 if multiprocessing.active_children() else 0)

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        if self.mode == 'val' and (runner.epoch, batch_idx) == self.place:
            os.kill(os.getpid(), self.number)


def stop(build, cfg, stage, epoch, batch_idx=2, number=signal.SIGTERM, mode='train'):
    hook = dict(type='SendSignal', number=int(number), epoch=epoch, batch_idx=batch_idx, mode=mode)
    if stage:
        cfg.stages[0].options.custom_hooks = [hook]
    else:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]
    before = signal.signal(number, signal.SIG_DFL)  # a SIGHUP may be ignored
    with pytest.raises(SystemExit) as ended:
        build(cfg).train()
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL and not STOP_SIGNAL.received
    signal.signal(number, before)
    assert not multiprocessing.active_children()  # while the error is still looked at


@pytest.mark.parametrize(
    'stage, epoch, batch_idx, number',
    [
        ('pretrain', 2, 1, signal.SIGTERM),
        # after the last iteration of an epoch
        pytest.param('pretrain', 0, 4, signal.SIGUSR1, marks=pytest.mark.slow),
        pytest.param('', 1, 2, signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_amid_an_epoch(
    stage, epoch, batch_idx, number, load_cfg, build, trained, tmp_path, assert_same_run
):
    stop(build, load_cfg(tmp_path), stage, epoch, batch_idx, number)
    saved = tmp_path / stage / f'iter_{5 * epoch + batch_idx + 1}.pth'
    assert latest_checkpoint(str(tmp_path / stage)) == str(saved)
    assert torch.load(saved)['meta']['epoch'] == epoch

    build(load_cfg(tmp_path, dict(resume=True))).train()
    assert_same_run(tmp_path / 'pretrain', trained / 'pretrain')
    assert_same_run(tmp_path, trained)
    assert not saved.exists()  # the next one took its place


@pytest.mark.slow
def test_amid_a_validation(load_cfg, build, trained, tmp_path, assert_same_run):
    """It is not waited for, and nothing is lost."""
    options = {'train_cfg.val_interval': 2, 'default_hooks.checkpoint.interval': 4}
    cfg = load_cfg(tmp_path, options)
    stop(build, cfg, '', 2, 0, mode='val')
    saved = torch.load(latest_checkpoint(str(tmp_path)))['meta']
    assert (saved['epoch'], saved['iter']) == (2, 10)
    build(load_cfg(tmp_path, {**options, 'resume': True})).train()
    assert_same_run(tmp_path, trained)


@pytest.mark.slow
@pytest.mark.parametrize('number', STOP_SIGNALS)
def test_workers_go_on(number, load_cfg, build, trained, tmp_path, assert_same_run):
    """The signal reaches them as well; the batches that were theirs are not lost."""
    options = {'train_dataloader.num_workers': 2, 'train_dataloader.prefetch_factor': 1}
    cfg = load_cfg(tmp_path, options, 'mamp')
    stop(build, cfg, '', 1, 1, number)
    assert Path(latest_checkpoint(str(tmp_path))).stem == 'iter_7'
    build(load_cfg(tmp_path, {**options, 'resume': True}, 'mamp')).train()
    assert_same_run(tmp_path, trained / 'pretrain')


@pytest.mark.slow
def test_by_iterations(load_cfg, build, tmp_path):
    """What an iteration draws is the same after a checkpoint as without it."""
    options = {
        'param_scheduler': [],
        'train_dataloader.sampler.type': 'InfiniteSampler',
        'default_hooks.checkpoint': dict(by_epoch=False, interval=4, max_keep_ckpts=1),
        'default_hooks.logger.interval': 1,
        'log_processor.by_epoch': False,
        'custom_hooks': [],
        **dict(val_cfg=None, val_dataloader=None, val_evaluator=None),
    }

    def load(name, **more):
        cfg = load_cfg(tmp_path / name, {**options, **more}, 'mamp')
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=9)
        return cfg

    build(load('whole')).train()
    stop(build, load('stopped'), '', 0, 5)
    found = {path.name for path in (tmp_path / 'stopped').glob('*.pth')}
    assert found == {'iter_4.pth', 'iter_6.pth'}
    build(load('stopped', resume=True)).train()
    ours, theirs = (torch.load(tmp_path / name / 'iter_9.pth') for name in ('stopped', 'whole'))
    for key in ('state_dict', 'optimizer'):
        torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=0)


@pytest.mark.slow
def test_two_ranks_stop_after_the_same_iteration(
    load_cfg, build, two_ranks, tmp_path, assert_same_run
):
    """Though the signal reaches but one of them."""

    def run(name, signaled=None, resume=False):
        def train_rank(rank):
            cfg = load_cfg(tmp_path / name, dict(resume=resume))
            cfg.launcher = 'pytorch'
            if signaled is not None:
                place = (1, 0) if rank == signaled else (99, 0)
                stop(build, cfg, '', *place)
            else:
                build(cfg).train()

        two_ranks(train_rank)

    run('whole')
    run('stopped', signaled=1)
    saved = torch.load(tmp_path / 'stopped/iter_3.pth')
    assert saved['meta']['epoch'] == 1 and len(saved['random_states']) == 2
    run('stopped', resume=True)
    assert_same_run(tmp_path / 'stopped', tmp_path / 'whole')


def test_again_ends_at_once():
    pid = os.fork()
    if not pid:
        stop_signal.StopSignal().listen()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # the same one
        time.sleep(0.1)
        stop_signal._SAME = 0.0
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM


def test_a_worker_goes_on_for_a_while_and_ends_well():
    """It would end the training if it were killed."""
    pid = os.fork()
    if not pid:
        stop_signal._WORKER_SECONDS = 1
        stop_signal.outlive_signals(None, 0)
        begin = time.monotonic()
        for number in STOP_SIGNALS:
            os.kill(os.getpid(), number)
        while time.monotonic() - begin < 20:
            time.sleep(0.1)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
