"""The scaling benchmark: its arithmetic, and in small as users start it."""

import json
import os
import subprocess
import sys

import pytest
import scaling
from scaling_rows import add_efficiency, make_row, time_table

BATCH, CHANNELS = 3, 16


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
    # a step that takes 9 without its all-reduce, which takes 3 alone
    for step, exposed, hidden in ((9.75, 0.75, 0.75), (8.0, -1.0, 1.0), (20.0, 11.0, 0.0)):
        times = dict(step=[step, step, 30.0], no_sync=[9.0, 9.0, 8.0], reduce=[3.0, 2.0, 4.0])
        row = make_row('a', 2, 8, times)
        assert (row['exposed_seconds'], row['hidden_share']) == (exposed, hidden)


@pytest.mark.slow
def test_what_goes_over_the_wire(tmp_path):
    """Of one and two processes by torchrun and gloo."""
    options = f'--processes 2 1 --tiny --batch {BATCH} --repeats 2 --bucket-mib 0.01'
    subprocess.run(
        [sys.executable, scaling.__file__, *options.split(), '--json', 'new/rows.json'],
        cwd=tmp_path,
        check=True,
        timeout=600,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1'),
    )
    rows = json.loads((tmp_path / 'new/rows.json').read_text())
    rows = {(row['work'], row['processes']): row for row in rows}
    assert list(rows) == [(work, count) for work in scaling.CASES for count in (1, 2)]
    for work in ('stage1', 'stage2'):
        one, two = rows[work, 1], rows[work, 2]
        assert (one['clips'], two['clips']) == (BATCH, 2 * BATCH)
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
