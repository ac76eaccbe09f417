"""The benchmark from command to JSON, in small, and its yardsticks."""

import json

import plain_schedule as plain
import pytest
import speed
import timing
import torch

from stars_mm.models.utils.transformer import SelfAttention

CPU = torch.device('cpu')


@pytest.mark.slow
def test_every_work(tmp_path, capsys):
    path = tmp_path / 'new/rows.json'
    speed.main([*'--tiny --repeats 1 --device cpu --json'.split(), str(path)])
    rows = json.loads(path.read_text())
    works = ('stage1', 'stage2', 'encode')
    wanted = [(work, mode) for work in works for mode in ('parity', 'fast')]
    wanted += [('data', 'parity'), ('knn', 'parity')]
    assert [(row['work'], row['mode']) for row in rows] == wanted
    for row in rows:
        assert row['ratio'] == pytest.approx(row['plain_seconds'] / row['seconds'])
        assert row['clips_per_second'] == pytest.approx(row['clips'] / row['seconds'])
        assert row['spread'][0] <= row['seconds'] <= row['spread'][1]
        assert row['repeats'] == 1 and row['hours'] is None  # not the recipe's sizes
    by_name = {(row['work'], row['mode']): row for row in rows}
    # 4 of 10 slots are empty: 6 persons instead of 10; the empty one is 1
    encode = by_name['encode', 'parity']
    assert encode['flops'] / encode['plain_flops'] == pytest.approx(7 / 10)
    fast, parity = (by_name['stage1', mode]['flops'] for mode in ('fast', 'parity'))
    assert fast / parity == pytest.approx(6 / 10)
    assert '| stage1 | parity |' in capsys.readouterr().out


def flops(call) -> int:
    return timing.flops_and_memory(call, CPU)[0]


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


def test_calls_take_turns():
    order = []
    calls = dict(a=lambda: order.append('a'), b=lambda: order.append('b'))
    times = timing.alternate(calls, 3, str)
    assert ''.join(order) == 'ababab'
    assert {name: len(seconds) for name, seconds in times.items()} == dict(a=3, b=3)
