"""The benchmark from command to JSON, in small, and its yardsticks."""

import json

import plain_schedule as plain
import pytest
import speed
import timing
import torch
from torch import nn

from stars_mm.models.utils.transformer import SelfAttention

CPU = torch.device('cpu')


def test_every_work(tmp_path, capsys):
    path = tmp_path / 'new/rows.json'
    speed.main([*'--tiny --repeats 2 --device cpu --json'.split(), str(path)])
    rows = json.loads(path.read_text())
    assert [(row['work'], row['mode']) for row in rows] == [
        ('stage1', 'parity'),
        ('stage1', 'fast'),
        ('stage2', 'parity'),
        ('stage2', 'fast'),
        ('encode', 'parity'),
        ('encode', 'fast'),
        ('data', 'parity'),
        ('knn', 'parity'),
    ]
    for row in rows:
        assert row['ratio'] == pytest.approx(row['plain_seconds'] / row['seconds'])
        assert row['clips_per_second'] == pytest.approx(row['clips'] / row['seconds'])
        assert row['spread'][0] <= row['seconds'] <= row['spread'][1]
        assert row['repeats'] == 2 and row['hours'] is None  # not the recipe's sizes
    by_name = {(row['work'], row['mode']): row for row in rows}
    # 4 of 10 slots are empty: 6 persons instead of 10; the empty one is 1
    encode = by_name['encode', 'parity']
    assert encode['flops'] / encode['plain_flops'] == pytest.approx(7 / 10)
    fast, parity = (by_name['stage1', mode]['flops'] for mode in ('fast', 'parity'))
    assert fast / parity == pytest.approx(6 / 10)
    said = capsys.readouterr()
    assert 'stage2 fast: 2/2' in said.err
    assert '| stage1 | parity |' in said.out


def test_a_profile_is_printed(capsys):
    speed.main('--tiny --repeats 1 --device cpu --work knn --profile'.split())
    assert capsys.readouterr().out.count('Self CPU time total') == 1


@pytest.mark.parametrize(
    'options, message',
    [
        ('--work stage3', "invalid choice: 'stage3'"),
        ('--batch 1', '--batch must be 2 or more'),
        ('--single 80', '--single 80.0 must lie between 0 and 1'),
    ],
)
def test_wrong_arguments(capsys, options, message):
    with pytest.raises(SystemExit):
        speed.parse_args(options.split())
    assert message in capsys.readouterr().err


def flops(call) -> int:
    return timing.flops_and_memory(call, CPU)[0]


def test_flops_of_a_linear_layer():
    layer, x = nn.Linear(7, 5), torch.randn(3, 7, requires_grad=True)
    assert flops(lambda: layer(x)) == 2 * 3 * 7 * 5
    # forwards, and the gradients of input and weight
    assert flops(lambda: layer(x).sum().backward()) == 3 * 2 * 3 * 7 * 5


def test_flops_of_fused_attention_are_those_of_the_written_out():
    attention, x = SelfAttention(16, 2), torch.randn(3, 10, 16)
    products = 2 * (2 * 3 * 10 * 10 * 16)  # q·k, weights·v
    linear = 2 * 3 * 10 * 16 * (48 + 16)
    with torch.no_grad():
        assert flops(lambda: attention(x)) == products + linear
        assert flops(lambda: plain.attend(attention, x)) == products + linear
    # backwards the fused kernel computes q·k again
    assert flops(lambda: attention(x).sum().backward()) == (
        3 * products + products // 2 + 3 * linear - 2 * 3 * 10 * 16 * 48
    )


def test_memory_that_is_needed_for_a_moment():
    _, found = timing.flops_and_memory(lambda: [torch.ones(2**24) for _ in range(2)], CPU)
    if found is None:
        pytest.skip('this system does not tell the memory of a process')
    assert 100 * 2**20 < found < 300 * 2**20  # 2 × 64 MiB


def test_calls_take_turns():
    order, told = [], []
    calls = dict(a=lambda: order.append('a'), b=lambda: order.append('b'))
    times = timing.alternate(calls, 3, told.append)
    assert ''.join(order) == 'ababab'
    assert {name: len(seconds) for name, seconds in times.items()} == dict(a=3, b=3)
    assert told[0] == 'a: 1/3' and told[-1] == 'b: 3/3'
