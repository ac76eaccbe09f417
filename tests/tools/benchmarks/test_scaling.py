"""The scaling benchmark: its arithmetic, and in small as users start it."""

import json
import os
import re
import subprocess
import sys

import pytest
import scaling
from scaling_rows import add_efficiency, make_row, time_table

BATCH, CHANNELS = 3, 16


@pytest.mark.parametrize(
    'step, exposed, hidden', [(9.75, 0.75, 0.75), (8.0, -1.0, 1.0), (20.0, 11.0, 0.0)]
)
def test_how_much_of_the_all_reduce_is_hidden(step, exposed, hidden):
    """A step that takes 9 without its all-reduce, which takes 3 alone."""
    times = dict(step=[step, step, 30.0], no_sync=[9.0, 9.0, 8.0], reduce=[3.0, 2.0, 4.0])
    row = make_row('a', 2, 8, times)
    assert (row['exposed_seconds'], row['hidden_share']) == (exposed, hidden)
    assert (row['reduce_seconds'], row['no_sync_seconds']) == (3.0, 9.0)


def test_row_and_efficiency():
    """Four times the clips in 1.25 of the time: an efficiency of 0.8."""
    times = dict(step=[2.5, 2.4, 9.0], search=[0.1, 0.05, 0.05])
    rows = [
        make_row('a', 4, 32, times),
        make_row('a', 1, 8, dict(step=[2.0])),
        make_row('b', 4, 8, dict(step=[2.0])),
    ]
    add_efficiency(rows)
    assert rows[0]['seconds'] == 2.5 and rows[0]['spread'] == [2.45, 5.75]
    assert rows[0]['clips_per_second'] == 32 / 2.5
    assert rows[0]['search_share'] == pytest.approx(0.02)
    assert [row['efficiency'] for row in rows] == [0.8, 1.0, None]
    assert 'hidden_share' not in rows[0]
    lines = time_table(rows).splitlines()
    assert lines[2].startswith('| a | 4 | 2.5 | 2.45 to 5.75 | 12.8 | 80% |')
    assert lines[4].startswith('| b | 4 | 2 | 2 to 2 | 4 |  |')


@pytest.mark.parametrize(
    'options, message',
    [
        ('--processes 0', 'the other numbers 1 or more'),
        ('--batch 1', '--batch must be 2 or more'),
        ('--append', '--append needs --json'),
        ('--bucket-mib 0', '--bucket-mib 0.0 must be positive'),
    ],
)
def test_wrong_arguments(capsys, options, message):
    with pytest.raises(SystemExit):
        scaling.parse_args(options.split())
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    'config, message',
    [
        ('mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py', 'ntu60-xsub.py names no first stage'),
        ('none.py', '[Nn]o such file.*none.py'),
    ],
)
def test_config_that_will_not_do(repo_root, config, message):
    with pytest.raises(SystemExit) as error:
        scaling.main(['--config', str(repo_root / 'configs' / config)])
    assert re.search(message, str(error.value))


def test_more_processes_than_gpus(capsys, monkeypatch):
    monkeypatch.setattr(scaling, 'no_accelerator', lambda: False)
    monkeypatch.setattr(scaling.torch.cuda, 'device_count', lambda: 1)
    with pytest.raises(SystemExit):
        scaling.parse_args([])
    assert '--processes 2: there are 1 GPUs' in capsys.readouterr().err


@pytest.fixture(scope='module')
def rows(tmp_path_factory):
    """Of one and two processes by torchrun and gloo."""
    folder = tmp_path_factory.mktemp('scaling')
    options = f'--processes 2 1 --tiny --batch {BATCH} --repeats 2 --bucket-mib 0.01'
    done = subprocess.run(
        [sys.executable, scaling.__file__, *options.split(), '--json', 'new/rows.json'],
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=600,
        stdin=subprocess.DEVNULL,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('\n| stage1 |') == 4  # in two tables
    return json.loads((folder / 'new/rows.json').read_text())


@pytest.mark.slow
def test_every_work_on_each_number_of_processes(rows):
    assert [(row['work'], row['processes']) for row in rows] == [
        (work, count) for work in scaling.CASES for count in (1, 2)
    ]
    for row in rows:
        each = dict(features=8, knn=7).get(row['work'], BATCH)
        assert row['clips'] == row['processes'] * each
        assert row['repeats'] == 2 and row['threads'] == 1
        assert ('hidden_share' in row) == (row['work'].startswith('stage')) * (
            row['processes'] == 2
        )
        assert ('search_share' in row) == (row['work'] == 'stage2')


@pytest.mark.slow
def test_what_goes_over_the_wire(rows):
    rows = {(row['work'], row['processes']): row for row in rows}
    for work in ('stage1', 'stage2'):
        one, two = rows[work, 1], rows[work, 2]
        assert one['bucket_bytes'] == []
        assert one['all_gather_bytes'] == one['all_reduce_bytes'] == 0
        assert sum(two['bucket_bytes']) == two['gradient_bytes'] == one['gradient_bytes'] > 0
        assert len(two['bucket_bytes']) > 1  # of 10 KiB, as asked
        # the queue, 64 × 16 numbers, stays where it is
        assert two['broadcast_bytes'] == 0 and two['broadcast_buffers'] is False
        contrastive = work == 'stage2'
        # predictions and projections; the index of each clip
        assert two['all_gather_bytes'] == contrastive * (2 * BATCH * CHANNELS * 4 + BATCH * 8)
        # gradients of all predictions
        assert two['all_reduce_bytes'] == contrastive * (2 * BATCH * CHANNELS * 4)


@pytest.mark.slow
def test_rows_of_other_runs_are_kept(rows, tmp_path, capsys):
    """Two processes first, one later: then there is an efficiency."""
    path = tmp_path / 'rows.json'
    ones, twos = ([row for row in rows if row['processes'] == count] for count in (1, 2))
    path.write_text(json.dumps([dict(row, efficiency=None) for row in twos]))
    scaling.finish(ones, scaling.parse_args(['--append', '--json', str(path)]))
    assert json.loads(path.read_text()) == rows
    assert '| knn | 2 |' in capsys.readouterr().out
