"""What the examples of streams write is what the command reads."""

import json
import runpy
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from stars_mm.apis.frame_lines import parse_frame

EXAMPLES = Path(__file__).parents[2] / 'docs/examples'


def run(monkeypatch, capsys, name, *options):
    monkeypatch.setattr(sys, 'argv', [name, *map(str, options)])
    runpy.run_path(str(EXAMPLES / name), run_name='__main__')
    return capsys.readouterr().out.splitlines()


def test_replay_writes_every_frame_in_its_time(monkeypatch, capsys, tmp_path):
    clip = np.random.default_rng(0).normal(size=(2, 12, 25, 3)).astype('f4')
    clip[1, 5:] = 0  # the second person leaves
    np.save(tmp_path / 'one.npy', clip)
    waited = []
    monkeypatch.setattr('time.sleep', waited.append)
    monkeypatch.setattr('time.monotonic', lambda: sum(waited))
    options = ('--layout', 'ntu-25', '--fps', 10, '--speed', 4)
    lines = run(monkeypatch, capsys, 'replay.py', tmp_path / 'one.npy', *options)
    assert sum(waited) == pytest.approx(12 / 10 / 4)
    for number, frame in enumerate(parse_frame(line, 25) for line in lines):
        assert frame.time == pytest.approx(number / 10)
        np.testing.assert_array_equal(frame.keypoints, clip[: 1 + (number < 5), number])
    assert number == 11


def test_webcam_writes_what_mmpose_gives(monkeypatch, capsys):
    """By a stand-in of the form that mmpose 1.x documents: a result an image, whose predictions are
    a list an image of dicts a person; what is no plain number is left where it is."""

    class MMPoseInferencer:
        def __init__(self, pose2d):
            assert pose2d == 'human'

        def __call__(self, inputs):
            assert inputs == 'webcam'
            for persons in (2, 0, 1):
                body = dict(
                    keypoints=[[number + 0.5, 2.0] for number in range(17)],
                    keypoint_scores=[0.5] * 17,
                    bbox=([0.0, 0.0, 9.0, 9.0],),
                    bbox_score=np.float32(0.9),
                )
                yield dict(visualization=[], predictions=[[body] * persons])

    mmpose, apis = ModuleType('mmpose'), ModuleType('mmpose.apis')
    apis.MMPoseInferencer = MMPoseInferencer
    monkeypatch.setitem(sys.modules, 'mmpose', mmpose)
    monkeypatch.setitem(sys.modules, 'mmpose.apis', apis)
    lines = run(monkeypatch, capsys, 'webcam_mmpose.py')
    first, nobody, one = (parse_frame(line, 17) for line in lines)
    assert first.keypoints.shape == (2, 17, 2) and first.keypoints[1, 3].tolist() == [3.5, 2]
    assert nobody.keypoints is None and one.scores.tolist() == [[0.5] * 17]
    assert first.time < nobody.time < one.time
    assert all(set(json.loads(line)) == {'time', 'instances'} for line in lines)
