"""The learning rate of stage 1, iteration by iteration."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from stars_mm.engine.optimizers import LinearWarmupLR

EPOCH_LENGTH = 100


class OneWeight(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs=None, data_samples=None, mode='tensor'):
        return {}


@pytest.fixture
def schedule(repo_root, tmp_path):
    """Builds optimizer and schedulers of the published schedule as mmengine's runner does."""
    cfg = Config.fromfile(repo_root / 'configs/_base_/schedules/mamp_adamw_8xb16-400e.py')

    def _build():
        runner = Runner(
            OneWeight(),
            str(tmp_path),
            train_dataloader=DataLoader(range(EPOCH_LENGTH)),
            train_cfg=cfg.train_cfg,
            optim_wrapper=cfg.optim_wrapper.copy(),
            param_scheduler=[dict(s) for s in cfg.param_scheduler],
            default_scope='mmaction',
            experiment_name='test_schedules',
        )
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        schedulers = runner.build_param_scheduler(runner.param_schedulers)
        return runner.optim_wrapper.optimizer, schedulers

    return _build


def run(optimizer, schedulers, num_iters: int) -> list:
    """Learning rates of so many iterations."""
    rates = []
    for _ in range(num_iters):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    return rates


def test_published_learning_rates(schedule, data_dir):
    golden = np.load(data_dir / 'data_ntu.npz')
    rates = run(*schedule(), num_iters=400 * EPOCH_LENGTH)
    iters = np.round(golden['lr_epochs'] * EPOCH_LENGTH).astype(int)
    np.testing.assert_allclose(np.array(rates)[iters], golden['lr_values'], rtol=1e-6)


@pytest.mark.parametrize('stop', [700, 2000, 2001, 9000])
def test_state_dicts_go_on(schedule, stop):
    """In the warm-up, at its end, after it, and in the cosine."""
    whole = run(*schedule(), num_iters=stop + 1500)
    optimizer, schedulers = schedule()
    run(optimizer, schedulers, stop)
    resumed_optimizer, resumed = schedule()
    resumed_optimizer.load_state_dict(optimizer.state_dict())
    for ours, theirs in zip(resumed, schedulers):
        ours.load_state_dict(theirs.state_dict())
    assert run(resumed_optimizer, resumed, 1500) == whole[stop:]


def test_linear_warmup_is_linear():
    """Each group's rate at step i of W is base · i / W, and stays."""
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [dict(params=[weight], lr=lr) for weight, lr in zip(weights, (2.0, 8.0))]
    )
    warmup = LinearWarmupLR(optimizer, begin=2, end=6)
    rates = []
    for _ in range(9):
        rates.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        warmup.step()
    shares = [1, 1, 0, 0.25, 0.5, 0.75, 1, 1, 1]
    assert rates == [[2 * share, 8 * share] for share in shares]
