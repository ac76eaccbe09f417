"""A full disk ends a run with the path, takes nothing away, and the run goes on when there is
room."""

import resource
import subprocess
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


def test_a_checkpoint_that_cannot_be_written(load_cfg, build, trained, tmp_path, assert_same_run):
    """The end of a quota, which no mount is needed for."""

    def train(**options):
        build(load_cfg(tmp_path, options, 'mamp')).train()

    train(**{'train_cfg.max_epochs': 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        with pytest.raises(OSError, match=r'too large.*epoch_2.pth'):
            train(resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')
    assert not list(tmp_path.glob('*.partial'))
    train(resume=True)
    assert_same_run(tmp_path, trained / 'pretrain')
