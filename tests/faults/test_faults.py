"""Every write fails once, and every read: see :mod:`tests.faults.run`."""

import shutil
import sys

import pytest


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != 'linux' or shutil.which('gcc') is None, reason='needs Linux and gcc'
)
# pictures, exports and conversions make hundreds of writes: the whole takes minutes
@pytest.mark.parametrize(
    ('what', 'lines'),
    [
        (('write clip', 'write weights', 'write pointer', 'write re', 'write scores'), 14),
        (('read ',), 50),
    ],
)
def test_every_fault_of_a_disk_is_told_and_leaves_nothing_torn(run_command, repo_root, what, lines):
    done = run_command(
        sys.executable, '-m', 'tests.faults.run', '--only', *what, check=False, TMPDIR='/tmp'
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.count('\n') > lines
