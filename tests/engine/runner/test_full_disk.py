"""A full disk ends a run with the path, takes nothing away, and the run goes on when there is
room."""

import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mmaction.registry import HOOKS
from mmengine.hooks import Hook

from stars_mm.engine.runner.last_checkpoint import latest_checkpoint

ROOM = 100_000  # bytes, less than a checkpoint


@HOOKS.register_module(force=True)
class FillDisk(Hook):
    """Fills the disk of a folder at an iteration of an epoch but for some bytes."""

    def __init__(self, folder: str, room: int, epoch: int) -> None:
        self.ballast, self.room, self.epoch = Path(folder) / 'ballast', room, epoch

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if (runner.epoch, batch_idx) == (self.epoch, 1):
            with open(self.ballast, 'wb', buffering=0) as file:
                while True:
                    try:
                        file.write(bytes(4096))
                    except OSError:
                        break
                file.truncate(max(0, file.tell() - self.room))


@pytest.fixture
def small_disk(tmp_path) -> Path:
    """A disk of 4 MB."""
    path = tmp_path / 'disk'
    path.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip('mounts need root')
    yield path
    subprocess.run(['umount', '-l', path], check=True)


@pytest.fixture
def limit_files():
    """``limit_files(size)``: no file grows beyond it; None is no limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def _limit(size: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size is None else size, hard))

    yield _limit
    _limit(None)


def files(work_dir: Path) -> dict:
    return {path: path.read_bytes() for path in work_dir.rglob('*') if path.suffix == '.pth'}


@pytest.mark.slow
@pytest.mark.parametrize('room', [ROOM, 0])
@pytest.mark.parametrize('stage', ['pretrain', ''])
def test_no_room(stage, room, small_disk, load_cfg, build, trained, assert_same_run):
    """For a checkpoint, or for anything."""
    work_dir = small_disk / 'run'
    options = {'default_hooks.logger.interval': 1, 'default_hooks.checkpoint.max_keep_ckpts': 1}
    fill = dict(type='FillDisk', folder=str(small_disk), room=room, epoch=2)
    cfg = load_cfg(work_dir, options)
    cfg.stages[0].options = dict(options)
    if stage:
        cfg.stages[0].options.custom_hooks = [fill]
    else:
        cfg.custom_hooks.append(fill)
    with pytest.raises(OSError, match='No space left on device') as error:
        build(cfg).train()
    saved = work_dir / stage / 'epoch_2.pth'
    assert Path(error.value.filename) in (saved.with_name('epoch_3.pth'), saved.parent)
    assert latest_checkpoint(str(work_dir / stage)) == str(saved)
    assert not list(work_dir.rglob('*.partial'))

    before = files(work_dir)
    for _ in range(2):  # still full
        with pytest.raises(OSError, match='No space left on device'):
            build(load_cfg(work_dir, {**options, 'resume': True})).train()
        assert files(work_dir) == before and (work_dir / 'stars.py').stat().st_size
    (small_disk / 'ballast').unlink()
    build(load_cfg(work_dir, {**options, 'resume': True})).train()
    assert_same_run(work_dir, trained)


def test_a_checkpoint_that_cannot_be_written(
    load_cfg, build, trained, limit_files, tmp_path, assert_same_run
):
    """The end of a quota, which no mount is needed for."""

    def train(**options):
        options['default_hooks.checkpoint.max_keep_ckpts'] = 1
        build(load_cfg(tmp_path, options, 'mamp')).train()

    train(**{'train_cfg.max_epochs': 1})
    with pytest.raises(OSError, match=r'too large.*epoch_2.pth'):
        limit_files(ROOM)
        train(resume=True)
    limit_files(None)
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')
    assert not list(tmp_path.glob('*.partial'))
    train(resume=True)
    assert_same_run(tmp_path, trained / 'pretrain')


@HOOKS.register_module(force=True)
class Score(Hook):
    """Adds a score to a validation, better from epoch to epoch, after which ``late`` is called."""

    late: Callable[[], object] | None = None

    def after_val_epoch(self, runner, metrics=None) -> None:
        metrics['score'] = runner.epoch
        if runner.epoch == 2 and self.late:
            self.late()


@pytest.mark.slow
def test_the_best_one_stays(load_cfg, build, limit_files, tmp_path, monkeypatch):
    """Until a better one is there; and where it was before the folder was copied."""

    def train(name, **options):
        checkpoint = dict(save_best='score', rule='greater', interval=1)
        options.update({'default_hooks.checkpoint': checkpoint, 'train_cfg.val_interval': 1})
        options['train_cfg.max_epochs'] = 2
        cfg = load_cfg(tmp_path / name, options, 'mamp')
        cfg.custom_hooks = [dict(type='Score')]
        build(cfg).train()

    def best(name):
        return [path.name for path in (tmp_path / name).glob('best_*.pth')]

    monkeypatch.setattr(Score, 'late', lambda self: limit_files(ROOM // 2))
    with pytest.raises(OSError, match='best_score_epoch_2.pth'):
        train('a')
    limit_files(None)
    monkeypatch.setattr(Score, 'late', None)
    assert best('a') == ['best_score_epoch_1.pth']
    (tmp_path / 'a/epoch_2.pth').unlink()  # it was not validated
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    train('b', resume=True)
    assert best('a') == ['best_score_epoch_1.pth']
    assert best('b') == ['best_score_epoch_2.pth']
