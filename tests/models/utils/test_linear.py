"""A linear layer, by whichever library."""

import pytest
import torch
from torch import nn

from stars_mm.models.utils import linear as module


@pytest.fixture
def convolutions(monkeypatch):
    """Lets small products on any processor take the detour; the list grows by one at each."""
    found, conv2d = [], module.F.conv2d
    monkeypatch.setattr(module, 'MIN_NUMEL', 1)
    monkeypatch.setattr(module, 'onednn_is_faster', lambda: True)
    monkeypatch.setattr(module.F, 'conv2d', lambda *args: found.append(1) or conv2d(*args))
    return found


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('shape', [(6, 25, 8), (16, 8), (2, 4, 5, 4, 8)])
def test_values_and_gradients(convolutions, shape, bias):
    layer, plain = module.Linear(8, 12, bias), nn.Linear(8, 12, bias)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(shape, requires_grad=True)
    out, expected = layer(x), plain(x)
    assert convolutions and out.shape == (*shape[:-1], 12)
    assert out.is_contiguous()
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-6)
    weight = torch.randn_like(out)
    for a, b in zip(
        torch.autograd.grad((out * weight).sum(), [x, *layer.parameters()]),
        torch.autograd.grad((expected * weight).sum(), [x, *plain.parameters()]),
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_part_of_the_tokens(convolutions):
    layer, x = module.Linear(8, 4), torch.randn(5, 10, 8)
    torch.testing.assert_close(
        module.linear(x[:, 2:], layer.weight[1:], layer.bias[1:]),
        layer(x)[:, 2:, 1:],
        rtol=1e-5,
        atol=1e-6,
    )
    assert len(convolutions) == 2


def test_where_it_is_an_ordinary_layer(convolutions, monkeypatch):
    layer = module.Linear(8, 4)
    x = torch.randn(2, 16, 8)
    layer.double()(x.double())
    layer.float()
    with torch.autocast('cpu', torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    layer(torch.randn(67, 8))  # a prime number of rows
    monkeypatch.setattr(module, 'MIN_NUMEL', x.numel() + 1)
    layer(x)
    assert not convolutions
    monkeypatch.setattr(module, 'MIN_NUMEL', x.numel())
    layer(x)
    assert convolutions
