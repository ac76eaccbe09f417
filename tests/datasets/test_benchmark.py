"""The benchmark of the data: what it measures, not how fast that is."""

import importlib.util
import json
import os

import numpy as np
import pytest

from stars_mm.datasets import benchmark


@pytest.fixture
def tool(repo_root):
    spec = importlib.util.spec_from_file_location(
        'benchmark_data', repo_root / 'tools/analysis/benchmark_data.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_clips_are_like_those_of_ntu():
    clips = list(benchmark.made_up_clips(500))
    frames = np.array([clip['total_frames'] for clip in clips])
    persons = np.array([len(clip['keypoint']) for clip in clips])
    assert 75 < frames.mean() < 93 and 32 <= frames.min()
    assert frames.max() <= 300 and 1.14 < persons.mean() < 1.24
    for clip in clips:
        keypoint = clip['keypoint']
        assert keypoint.shape[1:] == (clip['total_frames'], 25, 3)
        assert keypoint.dtype == np.float16
        assert np.isfinite(keypoint).all() and keypoint.any((2, 3)).all()
    assert len({clip['frame_dir'] for clip in clips}) == 500


def test_both_pipelines_make_clips_of_one_shape(tmp_path):
    path = str(tmp_path / 'a.pkl')
    benchmark.write_made_up(path, 20)
    ours = benchmark.build(
        'SkeletonDataset',
        path,
        [
            dict(type='TemporalCropResize', clip_len=16, min_frames=4),
            dict(type='FormatGCNInput', num_person=2),
            dict(type='PackActionInputs'),
        ],
    )
    plain = benchmark.build('PoseDataset', path, benchmark.plain_pipeline(16))
    for sample in (ours[0], plain[0]):
        assert sample['inputs'].shape == (1, 2, 16, 25, 3)


def test_the_command_leaves_its_numbers(tool, tmp_path, capsys, monkeypatch, repo_root):
    # a new process would only take time to import everything
    monkeypatch.setattr(benchmark, 'measure_memory', benchmark._worker_memory)
    monkeypatch.chdir(repo_root)
    out = tmp_path / 'out.json'
    (tmp_path / 'made').mkdir()
    tool.main(
        ['--clips', '100', '--repeats', '1', '--json', str(out), '--folder', str(tmp_path / 'made')]
    )
    data, opening, memory, *feeding = json.loads(out.read_text())
    assert data['work'] == 'data'
    assert data['ratio'] == pytest.approx(data['plain_seconds'] / data['seconds'])
    assert data['clips_per_second'] == pytest.approx(1 / data['seconds'])
    assert 0 < opening['seconds'] and opening['clips'] == 100
    if os.path.exists('/proc/self/statm'):
        assert all(value > 50 for key, value in memory.items() if key.endswith('_mib'))
    assert [feed['mode'] for feed in feeding] == ['parity', 'fast', 'encode']
    for feed in feeding:
        limits = 15 / feed['worker_seconds'], 1 / feed['main_seconds']
        assert feed['clips_per_second'] == pytest.approx(min(limits))
        assert feed['views_seconds'] > 0
    printed = capsys.readouterr().out
    assert 'open 100 clips' in printed and 'memory of a worker' in printed
    assert not os.listdir(tmp_path / 'made')
