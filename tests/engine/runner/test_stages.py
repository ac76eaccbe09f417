import pytest
import torch
from mmengine.config import Config

from stars_mm.engine.runner.last_checkpoint import is_finished


@pytest.mark.parametrize('unit', ['epoch', 'iter'])
def test_a_stage_is_finished_at_its_end(tmp_path, unit):
    path = str(tmp_path / 'last.pth')
    torch.save(dict(meta={'epoch': 3, 'iter': 3}, state_dict={}), path)
    done = [is_finished(Config(dict(train_cfg={f'max_{unit}s': n})), path) for n in (2, 3, 4)]
    assert done == [True, True, False]
