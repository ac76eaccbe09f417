"""The benchmark of the data: what it measures, not how fast that is."""

import json
import os

import data_loading
import pytest


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
