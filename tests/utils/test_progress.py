"""A bar on a terminal, a line in a pipe, nothing for what is soon done."""

import io
import re
from contextlib import redirect_stderr

import pytest

from stars_mm.utils import progress as module
from stars_mm.utils.progress import Progress, progress


class Stream(io.StringIO):
    is_terminal = False

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def stderr():
    return Stream()


@pytest.fixture
def clock(monkeypatch):
    """A clock that a second passes on whenever somebody works."""
    now = [0.0]
    monkeypatch.setattr(module.time, 'monotonic', lambda: now[0])
    return now


def plain(stream):
    """What was written, without colors and movements of the cursor."""
    return re.sub(r'\x1b\[[?\d;]*[A-Za-z]', '', stream.getvalue())


def work(stderr, clock, seconds=1.0, items=range(100), **options):
    done = []
    with redirect_stderr(stderr):
        for item in progress(items, **options):
            clock[0] += seconds
            done.append(item)
    assert done == list(range(len(done))) != []


def test_one_line_in_a_pipe(stderr, clock):
    work(stderr, clock, what='clips encoded')
    assert stderr.getvalue() == '100 clips encoded in 1 min 40 s\n'


def test_nothing_for_what_is_soon_done(stderr, clock):
    stderr.is_terminal = True
    work(stderr, clock, seconds=0.009)
    assert stderr.getvalue() == ''


def test_a_bar_on_a_terminal(stderr, clock, monkeypatch):
    """It counts, is drawn no more often than needed, and leaves the line alone."""
    monkeypatch.setenv('TERM', 'xterm')
    stderr.is_terminal = True
    work(stderr, clock, seconds=0.02, items=range(500), what='clips encoded')
    drawn = re.findall(r'(\d+)/500 clips encoded', plain(stderr))
    assert drawn == sorted(drawn, key=int) and 80 < len(set(drawn)) < 100
    last = stderr.getvalue().splitlines()[-1]
    assert last.endswith('500 clips encoded in 10 s') and '\x1b[2K' in stderr.getvalue()


def test_how_much_there_is_may_be_unknown(stderr, clock, monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    stderr.is_terminal = True
    work(stderr, clock, items=(n for n in range(9)), what='frames read')
    assert '7/? frames read' in plain(stderr)


def test_what_fails_says_so_itself(stderr, clock):
    with redirect_stderr(stderr), pytest.raises(ValueError), Progress(3, 'clips') as shown:
        clock[0] += 60
        shown.update()
        raise ValueError
    assert stderr.getvalue() == ''
