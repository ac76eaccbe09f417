"""The soak: what it counts, when it says that something grows, and in small as users start it."""

import csv
import subprocess
import sys
import time

import numpy as np
import pytest
import soak

HOLD = """
import sys, threading, time
held = [open(__file__) for _ in range(20)], bytearray(64 << 20)
for _ in range(3):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print('ready', flush=True)
time.sleep(60)
"""
START = 'import subprocess, sys; subprocess.run([sys.executable, sys.argv[1]])'

linux = pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')


@linux
def test_what_a_grandchild_holds(tmp_path):
    (tmp_path / 'hold.py').write_text(HOLD)
    (tmp_path / 'a/b').mkdir(parents=True)
    (tmp_path / 'a/b/epoch.pth').write_bytes(bytes(3 << 20))
    (tmp_path / 'a/run.log').write_bytes(bytes(9 << 20))
    command = [sys.executable, '-c', START, str(tmp_path / 'hold.py')]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b'ready\n'
        found = soak.sample(process.pid, tmp_path / 'a')
        (child,) = soak.family(process.pid)[1:]
    finally:
        for pid in reversed(soak.family(process.pid)):
            subprocess.run(['kill', str(pid)])
        process.wait()
        process.stdout.close()
    assert found['processes'] == 2 and found['threads'] == 5 and child != process.pid
    assert 26 <= found['files'] < 40 and 64 < found['memory'] < 120 and found['folder'] == 3


def test_growth():
    """A ramp of a tenth over all of the time, noise, and what grows in the warm-up alone."""
    times = np.arange(0, 800.0)
    noise = np.random.default_rng(0).normal(size=800)
    level, percent = soak.growth(times, 100 + times / 80 + noise)
    assert level == pytest.approx(105, abs=0.2) and percent == pytest.approx(9.4, abs=0.5)
    assert abs(soak.growth(times, 100 + 5 * noise)[1]) < 3
    assert abs(soak.growth(times, 100 - 50 * (times < 150) + noise)[1]) < 1
    workers = 80 * (np.random.default_rng(1).random(800) < 0.5)  # half of the time
    assert abs(soak.growth(times, 100 + workers * (times > 400) + noise)[1]) < 1
    assert soak.growth(times, 0 * times) == (0, 0)


@linux
@pytest.mark.slow
def test_the_command(tmp_path, run_command, repo_root):
    """Learns and recognizes until it is stopped; nothing is left."""
    script, samples = repo_root / 'tools/benchmarks/soak.py', tmp_path / 'soak.csv'
    options = ['--hours', '0.005', '--interval', '0.2', '--limit', '1000', '--csv', samples]
    begin = time.monotonic()
    done = run_command(sys.executable, script, tmp_path / 'work', '--works', 'use', *options)
    assert 'Nothing grows' in done.stdout and '| use | memory |' in done.stdout
    assert 18 < time.monotonic() - begin and not (tmp_path / 'work').exists()
    rows = list(csv.DictReader(samples.read_text().splitlines()))
    assert len(rows) > 9 and float(rows[-1]['memory']) > 100
