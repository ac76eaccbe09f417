"""The learning rates of the schedules, iteration by iteration, by closed form and golden values."""

import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.engine.optimizers import LayerDecayOptimWrapperConstructor, LinearWarmupLR
from stars_mm.models.backbones import SkeletonTransformer

EPOCH_LENGTH = 100


class Classifier(BaseModel):
    def __init__(self):
        super().__init__()
        self.backbone = SkeletonTransformer(
            embed_dims=8, depth=2, num_heads=2, num_frames=4, num_joints=3
        )
        self.cls_head = nn.Linear(8, 2)

    def forward(self, inputs=None, data_samples=None, mode='tensor'):
        return {}


@pytest.fixture
def build(repo_root, tmp_path):
    """``build(name, epoch_length)``: optimizer and schedulers as mmengine's runner builds them."""

    def _build(name: str, epoch_length: int = EPOCH_LENGTH):
        cfg = Config.fromfile(repo_root / f'configs/_base_/schedules/{name}.py')
        runner = Runner(
            Classifier(),
            str(tmp_path),
            train_dataloader=DataLoader(range(epoch_length)),
            train_cfg=cfg.train_cfg,
            optim_wrapper=cfg.optim_wrapper,
            param_scheduler=[dict(s) for s in cfg.param_scheduler],
            default_scope='mmaction',
            experiment_name=f'test_{name}',
        )
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        schedulers = runner.build_param_scheduler(runner.param_schedulers)
        return runner.optim_wrapper.optimizer, schedulers

    return _build


def run(optimizer, schedulers, num_iters: int) -> np.ndarray:
    """(iterations, groups): learning rates."""
    rates = []
    for _ in range(num_iters):
        rates.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return np.array(rates)


def half_cosine(epoch: float, warmup: int, epochs: int, lr: float, lowest: float) -> float:
    """The reference's learning rate at a fractional epoch."""
    if epoch < warmup:
        return lr * epoch / warmup
    share = (epoch - warmup) / (epochs - warmup)
    return lowest + (lr - lowest) * 0.5 * (1 + math.cos(math.pi * share))


@pytest.mark.parametrize(
    'name, epochs, warmup, lr, lowest, scales',
    [
        ('mamp_adamw_8xb16-400e', 400, 20, 1e-3, 5e-4, [1.0]),
        ('linear_sgd_8xb32-100e', 100, 0, 0.1, 0.0, [1.0]),
        ('finetune_adamw_8xb6-100e', 100, 5, 3e-4, 1e-5, [0.512, 0.64, 0.8, 1.0]),
    ],
)
def test_learning_rates(build, name, epochs, warmup, lr, lowest, scales):
    optimizer, schedulers = build(name, 10)
    given = np.array([group['initial_lr'] / lr for group in optimizer.param_groups])
    assert sorted(set(given.round(6))) == pytest.approx(scales)
    wanted = [half_cosine(i / 10, warmup, epochs, lr, lowest) for i in range(epochs * 10)]
    rates = run(optimizer, schedulers, epochs * 10)
    np.testing.assert_allclose(rates, np.outer(wanted, given), rtol=1e-5, atol=1e-12)


def test_published_learning_rates(build, data_dir):
    golden = np.load(data_dir / 'data_ntu.npz')
    optimizer, schedulers = build('mamp_adamw_8xb16-400e')
    rates = run(optimizer, schedulers, 400 * EPOCH_LENGTH)[:, 0]
    iters = np.round(golden['lr_epochs'] * EPOCH_LENGTH).astype(int)
    np.testing.assert_allclose(rates[iters], golden['lr_values'], rtol=1e-6)


@pytest.mark.parametrize('stop', [70, 200, 201, 900])
def test_state_dicts_go_on(build, stop):
    """In the warm-up, at its end, after it, and in the cosine."""
    whole = run(*build('mamp_adamw_8xb16-400e', 10), stop + 150)
    stopped, resumed = (build('mamp_adamw_8xb16-400e', 10) for _ in range(2))
    run(*stopped, stop)
    resumed[0].load_state_dict(stopped[0].state_dict())
    for ours, theirs in zip(resumed[1], stopped[1]):
        ours.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(run(*resumed, 150), whole[stop:])


def test_linear_warmup_is_linear():
    """Each group's rate at step i of W is base · i / W, and stays."""
    groups = [dict(params=[nn.Parameter(torch.zeros(1))], lr=lr) for lr in (2.0, 8.0)]
    optimizer = torch.optim.SGD(groups)
    rates = run(optimizer, [LinearWarmupLR(optimizer, begin=2, end=6)], 9)
    np.testing.assert_array_equal(rates, np.outer([1, 1, 0, 0.25, 0.5, 0.75, 1, 1, 1], [2.0, 8.0]))
    rates = run(optimizer, [LinearWarmupLR(optimizer, begin=1, end=1)], 3)  # no warm-up at all
    assert (rates == [2.0, 8.0]).all()
    with pytest.raises(ValueError, match='end=1 must not come before begin=2'):
        LinearWarmupLR(optimizer, begin=2, end=1)


def test_trained_parameters_only():
    """mmengine's own constructor would take the frozen ones too."""
    model = Classifier()
    model.backbone = nn.Linear(3, 8).requires_grad_(False)  # has no layers
    construct = LayerDecayOptimWrapperConstructor(dict(optimizer=dict(type='SGD', lr=0.1)))
    groups = construct(model).param_groups
    found = [id(param) for group in groups for param in group['params']]
    assert found == [id(param) for param in model.cls_head.parameters()]
    assert groups[0]['lr'] == pytest.approx(0.1)
