"""The scaling benchmark, started as users start it, in small."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/analysis/benchmark_scaling.py'
BATCH, CHANNELS = 3, 16
STEPS = ('stage1', 'stage2', 'cached')


@pytest.fixture(scope='module')
def measured(tmp_path_factory):
    """One and two processes by torchrun and gloo: rows and output."""
    folder = tmp_path_factory.mktemp('scaling')
    done = subprocess.run(
        [
            sys.executable,
            str(TOOL),
            '--processes',
            '2',
            '1',
            '--tiny',
            '--batch',
            str(BATCH),
            '--repeats',
            '2',
            '--clips',
            '8',
            '--bank',
            '50',
            '--queries',
            '7',
            '--bucket-mib',
            '0.01',
            '--json',
            'new/rows.json',
        ],
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in folder.iterdir()] == ['new']
    return json.loads((folder / 'new/rows.json').read_text()), done


@pytest.fixture(scope='module')
def rows(measured):
    return {(row['work'], row['processes']): row for row in measured[0]}


def test_every_work_on_each_number_of_processes(measured, rows):
    assert list(rows) == [(work, count) for work in (*STEPS, 'features', 'knn') for count in (1, 2)]
    said = measured[1]
    assert said.stdout.count('\n| stage1 |') == 4  # in two tables
    assert 'stage2 no_sync: 2/2' in said.stderr


def test_figures_of_a_row_fit_each_other(rows):
    for (work, count), row in rows.items():
        assert row['clips'] == count * dict(features=8, knn=7).get(work, BATCH)
        assert row['clips_per_second'] == pytest.approx(row['clips'] / row['seconds'])
        assert row['spread'][0] <= row['seconds'] <= row['spread'][1]
        assert row['efficiency'] == pytest.approx(rows[work, 1]['seconds'] / row['seconds'])
        assert row['repeats'] == 2 and row['threads'] == 1
        for part in ('search', 'loss', 'push'):
            assert (f'{part}_share' in row) == (work in ('stage2', 'cached'))
            if f'{part}_share' in row:
                assert row[f'{part}_share'] == pytest.approx(
                    row[f'{part}_seconds'] / row['seconds']
                )


def test_overlap_is_measured_where_there_is_an_all_reduce(rows):
    for (work, count), row in rows.items():
        measured_it = work in STEPS and count == 2
        assert ('hidden_share' in row) == measured_it
        if measured_it:
            assert 0 <= row['hidden_share'] <= 1
            assert row['reduce_seconds'] > 0


def test_what_goes_over_the_wire(rows):
    for work in STEPS:
        one, two = rows[work, 1], rows[work, 2]
        assert one['bucket_bytes'] == []
        assert one['gather_bytes'] == one['reduce_bytes'] == 0
        assert sum(two['bucket_bytes']) == two['gradient_bytes']
        assert len(two['bucket_bytes']) > 1  # of 10 KiB, as asked
        assert one['gradient_bytes'] == two['gradient_bytes'] > 0
        # the queue, 64 × 16 numbers, stays where it is
        assert two['broadcast_bytes'] == 0
        assert two['broadcast_buffers'] is False
        contrastive = work != 'stage1'
        # predictions and projections; the index of each clip
        assert two['gather_bytes'] == contrastive * (2 * BATCH * CHANNELS * 4 + BATCH * 8)
        # gradients of all predictions
        assert two['reduce_bytes'] == contrastive * (2 * BATCH * CHANNELS * 4)


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('scaling_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_of_other_runs_are_kept(tool, measured, tmp_path, capsys):
    """Two processes first, one later: then there is an efficiency."""
    path = tmp_path / 'rows.json'
    ones, twos = ([row for row in measured[0] if row['processes'] == count] for count in (1, 2))
    path.write_text(json.dumps([dict(row, efficiency=None) for row in twos]))
    tool.finish(ones, tool.parse_args(['--append', '--json', str(path)]))
    assert json.loads(path.read_text()) == measured[0]
    assert '| knn | 2 |' in capsys.readouterr().out


@pytest.mark.parametrize(
    'options, message',
    [
        ('--processes 0', 'the other numbers 1 or more'),
        ('--batch 1', '--batch must be 2 or more'),
        ('--append', '--append needs --json'),
        ('--bucket-mib 0', '--bucket-mib 0.0 must be positive'),
        ('--single 80', '--single 80.0 must lie between 0 and 1'),
    ],
)
def test_wrong_arguments(tool, capsys, options, message):
    with pytest.raises(SystemExit):
        tool.parse_args(options.split())
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    'config, message',
    [
        ('mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py', 'ntu60-xsub.py names no first stage'),
        ('none.py', '[Nn]o such file.*none.py'),
    ],
)
def test_config_that_will_not_do(tool, config, message):
    with pytest.raises(SystemExit) as error:
        tool.main(['--config', str(TOOL.parents[2] / 'configs' / config)])
    assert re.search(message, str(error.value))


def test_more_processes_than_gpus(tool, capsys, monkeypatch):
    monkeypatch.setattr(tool, 'no_accelerator', lambda: False)
    monkeypatch.setattr(tool.torch.cuda, 'device_count', lambda: 1)
    with pytest.raises(SystemExit):
        tool.parse_args([])
    assert '--processes 2: there are 1 GPUs' in capsys.readouterr().err
