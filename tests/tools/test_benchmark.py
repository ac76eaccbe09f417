"""The benchmark from command to JSON, in small."""

import importlib.util
import json
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/analysis/benchmark.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('benchmark_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_work(tool, tmp_path, capsys):
    tool.main(
        [
            '--tiny',
            '--repeats',
            '2',
            '--device',
            'cpu',
            '--profile',
            '--json',
            str(tmp_path / 'new/rows.json'),
        ]
    )
    rows = json.loads((tmp_path / 'new/rows.json').read_text())
    assert [(row['work'], row['mode']) for row in rows] == [
        ('stage1', 'parity'),
        ('stage1', 'fast'),
        ('stage2', 'parity'),
        ('stage2', 'fast'),
        ('stage2', 'cached'),
        ('head', 'cached'),
        ('encode', 'parity'),
        ('encode', 'fast'),
        ('data', 'parity'),
        ('knn', 'parity'),
    ]
    for row in rows:
        assert row['ratio'] == pytest.approx(row['plain_seconds'] / row['seconds'])
        assert row['clips_per_second'] == pytest.approx(row['clips'] / row['seconds'])
        assert row['spread'][0] <= row['seconds'] <= row['spread'][1]
        assert row['repeats'] == 2 and row['peak_share'] < 2
        assert row['hours'] is None  # not the recipe's sizes
        assert sum(row['profile'].values()) > 0
        assert row['flop_floor_seconds'] == pytest.approx(row['flops'] / row['matmul_peak'])
        assert row['byte_floor_seconds'] == pytest.approx(row['matmul_bytes'] / row['bandwidth'])
    by_name = {(row['work'], row['mode']): row for row in rows}
    # 4 of 10 slots are empty: 6 persons instead of 10; the empty one is 1
    encode = by_name['encode', 'parity']
    assert encode['flops'] / encode['plain_flops'] == pytest.approx(7 / 10)
    stage1 = by_name['stage1', 'fast']['flops'], by_name['stage1', 'parity']['flops']
    assert stage1[0] / stage1[1] == pytest.approx(6 / 10)
    said = capsys.readouterr()
    assert 'stage2 cached: 2/2' in said.err
    lines = said.out.splitlines()
    assert [line.split()[:2] for line in lines[2 : 2 + len(rows)]] == [
        [row['work'], row['mode']] for row in rows
    ]
    assert sum('of which' in line for line in lines) == len(rows)


@pytest.mark.parametrize(
    'options, message',
    [
        ('--work stage3', "invalid choice: 'stage3'"),
        ('--batch 1', '--batch must be 2 or more'),
        ('--single 80', '--single 80.0 must lie between 0 and 1'),
    ],
)
def test_wrong_arguments(tool, capsys, options, message):
    with pytest.raises(SystemExit):
        tool.parse_args(options.split())
    assert message in capsys.readouterr().err
