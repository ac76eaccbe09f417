"""An interrupted run that is resumed is the run that was not interrupted."""

from pathlib import Path

import pytest
import torch

WORKERS = dict(num_workers=2, persistent_workers=True)
STAGE1 = 'pretrain'


def train(build, cfg) -> None:
    build(cfg).train()


def interrupt(build, cfg, stage: str, epoch: int, batch_idx: int = 2) -> None:
    """Train until an iteration of a stage ('' is the config's own)."""
    hook = dict(type='Interrupt', epoch=epoch, batch_idx=batch_idx)
    if stage:
        cfg.stages[0].options.custom_hooks = [hook]
    else:
        cfg.custom_hooks.append(hook)
    with pytest.raises(KeyboardInterrupt):
        train(build, cfg)


def times(folder: Path) -> dict:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob('*.pth')}


@pytest.mark.parametrize('stage, epoch', [(STAGE1, 2), (STAGE1, 0), ('', 2), ('', 0)])
def test_interrupted_in(stage, epoch, load_cfg, build, trained, tmp_path, assert_same_run):
    """In the midst of an epoch, or before a stage's first checkpoint."""
    interrupt(build, load_cfg(tmp_path), stage, epoch)
    assert not (tmp_path / f'epoch_{epoch + 1}.pth').exists()
    finished = times(tmp_path / STAGE1)

    train(build, load_cfg(tmp_path, dict(resume=True)))
    assert_same_run(tmp_path / STAGE1, trained / STAGE1)
    assert_same_run(tmp_path, trained)
    again = times(tmp_path / STAGE1)
    kept = {name for name in finished if again[name] == finished[name]}
    assert kept == set(finished)  # no epoch was trained twice
    assert len(again) == 4

    before = times(tmp_path)
    train(build, load_cfg(tmp_path, dict(resume=True)))
    assert times(tmp_path) == before  # nothing was left to do


@pytest.fixture(scope='module')
def with_workers(load_cfg):
    """Reads the config with persistent workers in both stages."""

    def _load(work_dir, options={}):
        return load_cfg(
            work_dir,
            {
                **options,
                'train_dataloader': WORKERS,
                'stages.0.options': {'train_dataloader': WORKERS},
            },
        )

    return _load


@pytest.mark.parametrize('stage', [STAGE1, ''])
def test_persistent_workers(stage, with_workers, build, trained, tmp_path, assert_same_run):
    """Neither workers nor when they started change the run."""
    interrupt(build, with_workers(tmp_path), stage, 2)
    train(build, with_workers(tmp_path, dict(resume=True)))
    assert_same_run(tmp_path / STAGE1, trained / STAGE1)
    assert_same_run(tmp_path, trained)


def test_load_from_skips_the_stages(load_cfg, build, trained, tmp_path, assert_same_run):
    checkpoint = trained / STAGE1 / 'epoch_4.pth'
    train(build, load_cfg(tmp_path, dict(load_from=str(checkpoint))))
    assert not (tmp_path / STAGE1).exists()
    assert_same_run(tmp_path, trained)


def test_an_earlier_run_does_not_count(load_cfg, build, trained, tmp_path, assert_same_run):
    """A run in a used folder, interrupted in stage 1 and resumed, is not
    mistaken for the one that was there."""
    seed = {'randomness.seed': 5}
    short = {**seed, 'train_cfg.max_epochs': 1, 'stages.0.options': {'train_cfg.max_epochs': 1}}
    train(build, load_cfg(tmp_path, short))
    interrupt(build, load_cfg(tmp_path), STAGE1, 0)
    train(build, load_cfg(tmp_path, dict(resume=True)))
    assert_same_run(tmp_path, trained)


def test_a_stage_by_iterations(load_cfg, build, tmp_path):
    """7 iterations: it is finished when they are done, and only then."""

    def load(**options):
        cfg = load_cfg(tmp_path, {'train_cfg.max_epochs': 1, **options})
        cfg.stages[0].options = dict(
            train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=7),
            param_scheduler=[],
            train_dataloader=dict(sampler=dict(type='InfiniteSampler')),
            default_hooks=dict(
                checkpoint=dict(by_epoch=False, interval=3), logger=dict(interval=1)
            ),
            log_processor=dict(by_epoch=False),
            val_cfg=None,
            val_dataloader=None,
            val_evaluator=None,
        )
        return cfg

    interrupt_at = load()
    interrupt_at.stages[0].options.custom_hooks = [dict(type='Interrupt', epoch=0, batch_idx=4)]
    with pytest.raises(KeyboardInterrupt):
        train(build, interrupt_at)
    assert list(times(tmp_path / STAGE1)) == ['iter_3.pth']
    train(build, load(resume=True))
    assert torch.load(tmp_path / STAGE1 / 'iter_7.pth')['meta']['iter'] == 7
    stage = times(tmp_path / STAGE1)
    (tmp_path / 'last_checkpoint').unlink()
    train(build, load(resume=True))
    assert times(tmp_path / STAGE1) == stage


def test_two_processes(load_cfg, build, two_ranks, tmp_path, assert_same_run):
    def run(work_dir, resume=False, stop_in=None):

        def train_rank(rank):
            cfg = load_cfg(tmp_path / work_dir, dict(resume=resume))
            cfg.launcher = 'pytorch'
            if stop_in is None:
                train(build, cfg)
            else:
                interrupt(build, cfg, stop_in, 2, 1)

        two_ranks(train_rank)

    run('whole')
    run('stopped', stop_in=STAGE1)
    run('stopped', resume=True)
    assert_same_run(tmp_path / 'stopped', tmp_path / 'whole')
