"""The yardsticks themselves."""

import pytest
import torch
from torch import nn

from stars_mm.models.utils.transformer import SelfAttention
from stars_mm.speed import measure, plain

CPU = torch.device('cpu')


def test_flops_of_a_linear_layer():
    layer, x = nn.Linear(7, 5), torch.randn(3, 7, requires_grad=True)
    assert measure.count_flops(lambda: layer(x)) == 2 * 3 * 7 * 5
    # forwards, and the gradients of input and weight
    assert measure.count_flops(lambda: layer(x).sum().backward()) == 3 * 2 * 3 * 7 * 5


def test_flops_of_fused_attention_are_those_of_the_written_out():
    attention, x = SelfAttention(16, 2), torch.randn(3, 10, 16)
    products = 2 * (2 * 3 * 10 * 10 * 16)  # q·k, weights·v
    linear = 2 * 3 * 10 * 16 * (48 + 16)
    with torch.no_grad():
        assert measure.count_flops(lambda: attention(x)) == products + linear
        assert measure.count_flops(lambda: plain.attend(attention, x)) == products + linear
    # backwards the fused kernel computes q·k again
    assert measure.count_flops(lambda: attention(x).sum().backward()) == (
        3 * products + products // 2 + 3 * linear - 2 * 3 * 10 * 16 * 48
    )


def test_works_take_turns():
    order, told = [], []
    times = measure.alternate(
        dict(a=lambda: order.append('a'), b=lambda: order.append('b')), 3, CPU, told.append
    )
    assert ''.join(order) == 'ababab'
    assert {name: len(seconds) for name, seconds in times.items()} == dict(a=3, b=3)
    assert told[0] == 'a: 1/3' and told[-1] == 'b: 3/3'


def test_one_look():
    a, b = torch.randn(300, 200), torch.randn(200, 100)
    flops, size = measure.look_at(lambda: a @ b, CPU)
    assert flops == 2 * 300 * 200 * 100
    assert size is None or 0 <= size < 2**24


def test_spread():
    assert measure.spread([3.0, 1.0, 2.0]) == [1.0, 3.0]
    assert measure.spread([5.0, 1.0, 2.0, 3.0, 4.0]) == [2.0, 4.0]


def test_memory_that_is_needed_for_a_moment():
    found = measure.peak_memory(lambda: [torch.ones(2**24) for _ in range(2)], CPU)
    if found is None:
        pytest.skip('this system does not tell the memory of a process')
    assert 100 * 2**20 < found < 300 * 2**20  # 2 × 64 MiB


def test_peak_of_matrix_products():
    assert measure.matmul_peak(CPU, torch.float32, size=64, repeats=2) > 1e6
