import errno
import os
import signal
from collections.abc import Callable

import pytest

from stars_mm.engine.runner import work_dir_lock
from stars_mm.engine.runner.work_dir_lock import WorkDirLock

HELD = []


def hold(work_dir) -> None:
    HELD.append(WorkDirLock(str(work_dir)))
    HELD[-1].__enter__()


@pytest.fixture
def forked():
    """``forked(function)``: a process that calls it and then sleeps; its number, once it has."""
    pids = []

    def _fork(function: Callable[[], object]) -> int:
        ready, tell = os.pipe()
        pid = os.fork()
        if not pid:
            function()
            os.write(tell, b'.')
            signal.pause()
        pids.append(pid)
        os.read(ready, 1)
        return pid

    yield _fork
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_the_second_is_refused(forked, tmp_path):
    """Until the first ends, however it ends; its workers do not count."""
    run = tmp_path / 'run'

    def train():
        hold(run)
        if not os.fork():
            signal.alarm(5)
            signal.pause()

    holder = forked(train)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=rf'run: another training .* process {holder} on '):
            hold(run)
    with WorkDirLock(str(tmp_path / 'other')):
        pass
    os.kill(holder, signal.SIGKILL)
    os.waitid(os.P_PID, holder, os.WEXITED | os.WNOWAIT)
    with WorkDirLock(str(run)):
        pass
    with WorkDirLock(str(run)):
        pass


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, 'No locks available')

    told: list[str] = []
    monkeypatch.setattr(work_dir_lock.fcntl, 'lockf', refuse)
    monkeypatch.setattr(work_dir_lock, 'print_log', lambda text, *args: told.append(text))
    with WorkDirLock(str(tmp_path)):
        pass
    assert 'No locks available' in told[0]


def test_a_training_holds_it(load_cfg, build, forked, tmp_path):
    forked(lambda: hold(tmp_path / 'pretrain'))
    with pytest.raises(RuntimeError, match='pretrain: another training works here'):
        build(load_cfg(tmp_path)).train()


def test_a_training_that_is_refused_leaves_the_config(load_cfg, build, forked, tmp_path):
    copy = tmp_path / 'stars.py'
    copy.write_text('of the first')
    forked(lambda: hold(tmp_path))
    runner = build(load_cfg(tmp_path))
    with pytest.raises(RuntimeError, match='another training works here'):
        runner.train()
    assert copy.read_text() == 'of the first'
    runner.val()
    assert 'FeatureValLoop' in copy.read_text()
