import pytest
import torch

from stars_mm.engine.optimizers import LinearWarmupLR


def test_no_warmup_at_all():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    warmup = LinearWarmupLR(optimizer, begin=1, end=1)
    for _ in range(3):
        assert optimizer.param_groups[0]['lr'] == 2
        optimizer.step()
        warmup.step()
    with pytest.raises(ValueError, match='end=1 must not come before begin=2'):
        LinearWarmupLR(optimizer, begin=2, end=1)
