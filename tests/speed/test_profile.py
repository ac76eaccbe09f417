"""Where the time goes, and the floors."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from stars_mm.speed import profile

CPU = torch.device('cpu')


@pytest.mark.parametrize(
    'operation, kind',
    [
        ('aten::addmm', 'matrix products'),
        ('aten::mm', 'matrix products'),
        ('aten::mkldnn_convolution', 'matrix products'),
        ('sm90_xmma_gemm_bf16bf16', 'matrix products'),
        ('aten::_scaled_dot_product_flash_attention_for_cpu_backward', 'attention'),
        ('void flash::flash_fwd_kernel', 'attention'),
        ('aten::_foreach_addcdiv_', 'optimizer'),
        ('Optimizer.step#AdamW.step', 'optimizer'),
        ('aten::native_layer_norm', 'normalisation'),
        ('aten::gelu_backward', 'activation'),
        ('aten::copy_', 'moving'),
        ('aten::index', 'moving'),
        ('aten::sort', 'sorting and drawing'),
        ('aten::sum', 'sums'),
        ('aten::mul', 'arithmetic'),
        ('aten::view', 'allocating and viewing'),
        ('aten::t', 'allocating and viewing'),
        ('AddmmBackward0', 'differentiating'),
        ('triton_poi_fused_add_0', 'compiled'),
        ('aten::unheard_of', 'other'),
    ],
)
def test_kinds(operation, kind):
    assert profile.kind_of(operation) == kind


def test_time_goes_where_the_work_is():
    a = torch.randn(400, 400)
    products = profile.where_time_goes(lambda: [a @ a for _ in range(20)], CPU)
    assert next(iter(products)) == 'matrix products'
    sorting = profile.where_time_goes(lambda: [a.sort() for _ in range(20)], CPU)
    assert next(iter(sorting)) == 'sorting and drawing'
    assert list(sorting.values()) == sorted(sorting.values(), reverse=True)
    assert min(sorting.values()) >= 0


def test_bytes_of_matrix_products_and_attention():
    layer, x = nn.Linear(7, 5, bias=False), torch.randn(3, 7)
    with torch.no_grad():
        linear = profile.count_bytes(lambda: layer(x))
        assert linear == 4 * (3 * 7 + 7 * 5 + 3 * 5)
        # what lies between does not count
        assert profile.count_bytes(lambda: F.gelu(layer(x + 1))) == linear
        q = torch.randn(2, 4, 10, 8)
        found = profile.count_bytes(lambda: F.scaled_dot_product_attention(q, q, q))
    read_and_written = 4 * 4 * q.numel()  # q, k, v and the result
    logsumexp = 4 * 2 * 4 * 10
    assert found in (read_and_written, read_and_written + logsumexp)


def test_text():
    text = profile.describe(
        dict(
            work='stage1',
            mode='fast',
            seconds=2.0,
            profile={'attention': 1.5, 'idle': 0.5, 'sums': 1e-5},
            flop_floor_seconds=0.5,
            byte_floor_seconds=0.02,
        )
    )
    assert text.splitlines() == [
        'stage1 fast: 2 s, of which',
        '   75.0% attention',
        '   25.0% idle',
        '  not less than 0.5 s (25%): FLOPs of matrix products at their peak',
        '  not less than 0.02 s (1%): their bytes at the rate of a copy',
    ]
