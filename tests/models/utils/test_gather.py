"""Gathering in a single process; two processes: test_two_processes.py."""

import torch

from stars_mm.models.utils.gather import gather_with_grad, gather_without_grad


def test_one_process_gathers_itself():
    x = torch.randn(3, 2, requires_grad=True)
    gathered = gather_with_grad(x)
    assert torch.equal(gathered, x)
    (gathered * torch.arange(6.0).reshape(3, 2)).sum().backward()
    assert torch.equal(x.grad, torch.arange(6.0).reshape(3, 2))
    assert not gather_without_grad(x).requires_grad
    assert torch.equal(gather_without_grad(x), x)
