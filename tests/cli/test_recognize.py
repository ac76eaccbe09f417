"""Segments and streams by the command, in a pipe as somebody would."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from stars_mm.apis import FewShotRecognizer
from stars_mm.cli import main
from tests.apis.conftest import encode, recordings, skeleton  # noqa: F401  fixtures

COMMAND = [sys.executable, '-c', 'from stars_mm.cli import main; main()', 'recognize']


@pytest.fixture(scope='module')
def actions(encode, recordings, tmp_path_factory):  # noqa: F811
    path = str(tmp_path_factory.mktemp('actions') / 'actions.npz')
    FewShotRecognizer(encode).learn(recordings, layout='ntu-25').remove('sit').save(path)
    return path


@pytest.fixture(scope='module')
def long_file(tmp_path_factory):
    parts = [skeleton('wave', 2), np.zeros((1, 40, 25, 3), 'f4'), skeleton('kick', 3)]
    path = tmp_path_factory.mktemp('recordings') / 'long.npy'
    np.save(path, np.concatenate(parts, axis=1))
    return path


def test_segments(actions, long_file, tmp_path, capsys):
    found = tmp_path / 'found.json'
    main(['recognize', actions, str(long_file), '--segments', '--fps', '30', '--json', str(found)])
    segments = json.loads(found.read_text())
    assert [one['label'] for one in segments] == ['wave', 'kick']
    for one, line in zip(segments, capsys.readouterr().out.splitlines()):
        assert line.split()[0] == 'long' and line.split()[-1] == one['label']
        assert [float(x) for x in line.split()[1:3]] == [one['begin_time'], one['end_time']]
        assert one['begin_time'] == pytest.approx(one['begin'] / 30, abs=1e-3)


def test_a_stream_takes_frames_alone(actions):
    for options in (['x.npy'], ['--json', 'out.json'], ['--split', 'train']):
        with pytest.raises(SystemExit, match='error: --stream'):
            main(['recognize', actions, *options, '--stream'])


@pytest.fixture
def stream(actions, monkeypatch):
    """The command in a process of its own, once it is ready."""
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    process = subprocess.Popen(
        [*COMMAND, actions, '--stream'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=dict(os.environ, PYTHONIOENCODING='utf-8'),  # strict, as where a locale is set
    )  # fmt: skip
    while 'recognizes 2 actions' not in process.stderr.readline():
        assert process.poll() is None
    yield process
    process.kill()
    process.communicate()


def write(stream, frames, **extra):
    for frame in frames:
        stream.stdin.write(json.dumps(dict(keypoints=frame.tolist(), **extra)) + '\n')
    stream.stdin.flush()


@pytest.mark.slow
def test_a_stream_is_answered_while_it_lasts(stream):
    """The answer comes while the input is open; bad lines are named; Ctrl-C ends it."""
    write(stream, skeleton('wave', 2)[0][:10])
    stream.stdin.write('{"keypoints"\n\n[]\n')
    stream.stdin.flush()
    stream.stdin.buffer.write(b'{"keypoints": "\xff\xfe"}\n')
    write(stream, skeleton('wave', 2)[0][10:])
    first = json.loads(stream.stdout.readline())
    assert first['label'] == 'wave' and first['known'] and first.keys() >= {'time', 'score'}
    assert 'line 11 is left out: is no JSON' in stream.stderr.readline()
    assert 'line 13 is left out' in stream.stderr.readline()
    assert 'line 14 is left out' in stream.stderr.readline()
    stream.stdin.write('{"keypoints": null}\n' * 40)
    write(stream, skeleton('kick', 3)[0])
    assert [json.loads(stream.stdout.readline())['label'] for _ in range(2)] == [None, 'kick']
    stream.send_signal(signal.SIGINT)
    out, errors = stream.communicate(timeout=20)
    assert stream.returncode == 0 and out == '' and 'Traceback' not in errors


@pytest.mark.slow
def test_a_reader_that_goes_ends_it(stream):
    stream.stdout.close()
    write(stream, skeleton('wave', 2)[0])
    deadline = time.monotonic() + 20
    while stream.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stream.returncode == 0 and 'Traceback' not in stream.stderr.read()


@pytest.mark.slow
def test_a_replayed_file_in_a_pipe(actions, long_file, repo_root):
    replay = [sys.executable, repo_root / 'docs/examples/replay.py', long_file]
    replay = subprocess.Popen(
        [*replay, '--layout', 'ntu-25', '--speed', '100'], stdout=subprocess.PIPE
    )
    done = subprocess.run(
        [*COMMAND, actions, '--stream'], stdin=replay.stdout, capture_output=True, text=True
    )
    replay.stdout.close()
    assert replay.wait() == 0 and done.returncode == 0
    changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one['label'] for one in changes] == ['wave', None, 'kick']
