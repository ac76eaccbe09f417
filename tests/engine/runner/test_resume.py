"""An interrupted run that is resumed is the run that was not interrupted."""

import multiprocessing
import shutil
from pathlib import Path

import pytest
import torch

from stars_mm.engine.runner.last_checkpoint import latest_checkpoint

WORKERS = dict(num_workers=2, persistent_workers=True)
STAGE1 = 'pretrain'
NO_VAL = dict(val_cfg=None, val_dataloader=None, val_evaluator=None)


def interrupt(build, cfg, stage: str, epoch: int, batch_idx: int = 2) -> None:
    """Train until an iteration of a stage ('' is the config's own)."""
    hook = dict(type='Interrupt', epoch=epoch, batch_idx=batch_idx)
    if stage:
        cfg.stages[0].options.custom_hooks = [hook]
    else:
        cfg.custom_hooks.append(hook)
    with pytest.raises(KeyboardInterrupt):
        build(cfg).train()


def times(folder: Path) -> dict:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob('*.pth')}


@pytest.mark.parametrize('stage, epoch', [(STAGE1, 2), (STAGE1, 0), ('', 2)])
def test_interrupted_in(stage, epoch, load_cfg, build, trained, tmp_path, assert_same_run):
    """In the midst of an epoch, or before the first checkpoint; the folder is moved meanwhile."""
    interrupt(build, load_cfg(tmp_path / 'a'), stage, epoch)
    assert not (tmp_path / 'a' / stage / f'epoch_{epoch + 1}.pth').exists()
    shutil.move(tmp_path / 'a', tmp_path / 'b')
    work_dir = tmp_path / 'b'
    finished = times(work_dir / STAGE1)

    build(load_cfg(work_dir, dict(resume=True))).train()
    assert_same_run(work_dir / STAGE1, trained / STAGE1)
    assert_same_run(work_dir, trained)
    again = times(work_dir / STAGE1)
    assert finished.items() <= again.items() and len(again) == 4  # no epoch was trained twice

    before = times(work_dir)
    build(load_cfg(work_dir, dict(resume=True))).train()
    assert times(work_dir) == before  # nothing was left to do


def test_a_copy_does_not_read_the_original(load_cfg, build, trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / 'last_checkpoint').write_text(str(trained / 'epoch_4.pth'))  # mmengine's way
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_4.pth')
    state = torch.load(tmp_path / 'epoch_4.pth')
    state['state_dict']['head.predictor.3.bias'].fill_(100)
    torch.save(state, tmp_path / 'epoch_4.pth')
    build(load_cfg(tmp_path, {'resume': True, 'train_cfg.max_epochs': 5})).train()
    resumed = torch.load(tmp_path / 'epoch_5.pth')['state_dict']
    assert resumed['head.predictor.3.bias'].min() > 90


def test_where_the_last_checkpoint_is(tmp_path):
    assert latest_checkpoint(str(tmp_path)) is None
    pointer, elsewhere = tmp_path / 'last_checkpoint', tmp_path / 'out/epoch_1.pth'
    pointer.write_text(f'{elsewhere}\n')
    assert latest_checkpoint(str(tmp_path)) is None  # it is gone
    elsewhere.parent.mkdir()
    torch.save(dict(state_dict={}), elsewhere)
    assert latest_checkpoint(str(tmp_path)) == str(elsewhere)
    torch.save(dict(state_dict={}), tmp_path / 'epoch_1.pth')
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')


@pytest.mark.slow
@pytest.mark.parametrize('stage', [STAGE1, ''])
def test_persistent_workers(stage, load_cfg, build, trained, tmp_path, assert_same_run):
    """Neither workers nor when they started change the run."""
    options = {'train_dataloader': WORKERS, 'stages.0.options': {'train_dataloader': WORKERS}}
    interrupt(build, load_cfg(tmp_path, options), stage, 2)
    runner = build(load_cfg(tmp_path, {**options, 'resume': True}))
    runner.train()
    assert not multiprocessing.active_children()
    assert_same_run(tmp_path / STAGE1, trained / STAGE1)
    assert_same_run(tmp_path, trained)

    cfg = load_cfg(tmp_path, dict(load_from=str(tmp_path / 'epoch_4.pth')))
    for loader in (cfg.val_dataloader, cfg.test_dataloader, cfg.val_cfg.bank_dataloader):
        loader.update(WORKERS)
    runner = build(cfg)
    runner.val()
    runner.test()
    assert not multiprocessing.active_children()


def test_load_from_skips_the_stages(load_cfg, build, trained, tmp_path, assert_same_run):
    checkpoint = trained / STAGE1 / 'epoch_4.pth'
    build(load_cfg(tmp_path, dict(load_from=str(checkpoint)))).train()
    assert not (tmp_path / STAGE1).exists()
    assert_same_run(tmp_path, trained)


def test_an_earlier_run_does_not_count(load_cfg, build, trained, tmp_path, assert_same_run):
    """A run in a used folder, interrupted in stage 1 and resumed, is not
    mistaken for the one that was there."""
    short = {'train_cfg.max_epochs': 1}
    build(load_cfg(tmp_path, {'randomness.seed': 5, **short, 'stages.0.options': short})).train()
    interrupt(build, load_cfg(tmp_path), STAGE1, 0)
    build(load_cfg(tmp_path, dict(resume=True))).train()
    assert_same_run(tmp_path, trained)
    told = 'begins anew and overwrites what lies there, such as epoch_1.pth'
    for folder in (tmp_path, tmp_path / STAGE1):
        assert sum(path.read_text().count(told) for path in folder.glob('*/*.log')) == 1


def test_a_stage_by_iterations(load_cfg, build, tmp_path):
    """7 iterations: it is finished when they are done, and only then."""

    def load(**options):
        cfg = load_cfg(tmp_path, {'train_cfg.max_epochs': 1, **options})
        checkpoint = dict(by_epoch=False, interval=3)
        cfg.stages[0].options = dict(
            train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=7),
            param_scheduler=[],
            train_dataloader=dict(sampler=dict(type='InfiniteSampler')),
            default_hooks=dict(checkpoint=checkpoint, logger=dict(interval=1)),
            log_processor=dict(by_epoch=False),
            **NO_VAL,
        )
        return cfg

    interrupt(build, load(), STAGE1, 0, 4)
    assert list(times(tmp_path / STAGE1)) == ['iter_3.pth']
    build(load(resume=True)).train()
    assert torch.load(tmp_path / STAGE1 / 'iter_7.pth')['meta']['iter'] == 7
    stage = times(tmp_path / STAGE1)
    (tmp_path / 'last_checkpoint').unlink()
    build(load(resume=True)).train()
    assert times(tmp_path / STAGE1) == stage


@pytest.mark.slow
def test_two_processes(load_cfg, build, two_ranks, tmp_path, assert_same_run):
    def run(work_dir, resume=False, stop_in=None):
        def train_rank(rank):
            cfg = load_cfg(tmp_path / work_dir, dict(resume=resume))
            cfg.launcher = 'pytorch'
            if stop_in is None:
                build(cfg).train()
            else:
                interrupt(build, cfg, stop_in, 2, 1)

        two_ranks(train_rank)

    run('whole')
    run('stopped', stop_in=STAGE1)
    run('stopped', resume=True)
    assert_same_run(tmp_path / 'stopped', tmp_path / 'whole')
