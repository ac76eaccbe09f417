"""The benchmark of the data: what it measures, not how fast that is."""

import json
import os

import data_loading
import numpy as np
import pytest


def test_clips_are_like_those_of_ntu():
    clips = list(data_loading.generate_clips(500))
    frames = np.array([clip['total_frames'] for clip in clips])
    persons = np.array([len(clip['keypoint']) for clip in clips])
    assert 75 < frames.mean() < 93 and 32 <= frames.min()
    assert frames.max() <= 300 and 1.14 < persons.mean() < 1.24
    for clip in clips:
        assert clip['keypoint'].shape[1:] == (clip['total_frames'], 25, 3)
        assert clip['keypoint'].dtype == np.float16 and np.isfinite(clip['keypoint']).all()
    assert len({clip['frame_dir'] for clip in clips}) == 500


@pytest.mark.slow
def test_the_command_leaves_its_numbers(tmp_path, capsys, monkeypatch, repo_root):
    # a new process would only take time to import everything
    monkeypatch.setattr(data_loading, 'measure_memory', data_loading.worker_memory)
    monkeypatch.chdir(repo_root)
    out, made = tmp_path / 'out.json', tmp_path / 'made'
    options = ['--clips', '100', '--repeats', '1', '--json', str(out), '--folder', str(made)]
    data_loading.main(options)
    data, opening, memory, *feeding = json.loads(out.read_text())
    assert data['ratio'] == pytest.approx(data['plain_seconds'] / data['seconds'])
    assert 0 < opening['seconds'] and opening['clips'] == 100
    if os.path.exists('/proc/self/statm'):
        assert all(value > 50 for key, value in memory.items() if key.endswith('_mib'))
    assert [feed['mode'] for feed in feeding] == ['stage1', 'one_by_one', 'encode']
    for feed in feeding:
        limits = 15 / feed['worker_seconds'], 1 / feed['main_seconds']
        assert feed['clips_per_second'] == pytest.approx(min(limits))
    assert 'feed encode: cores 16' in capsys.readouterr().out
    assert not os.listdir(made)
