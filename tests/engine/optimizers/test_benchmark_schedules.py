"""The learning rates of linear probing and finetuning, by closed form."""

import math

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from stars_mm.engine.optimizers import LayerDecayOptimWrapperConstructor
from stars_mm.models.backbones import SkeletonTransformer

EPOCH_LENGTH = 10


class Classifier(BaseModel):
    def __init__(self):
        super().__init__()
        self.backbone = SkeletonTransformer(
            embed_dims=8, depth=2, num_heads=2, num_frames=4, num_joints=3
        )
        self.cls_head = nn.Linear(8, 2)

    def forward(self, inputs=None, data_samples=None, mode='tensor'):
        return {}


def half_cosine(epoch: float, warmup: int, epochs: int, lr: float, lowest: float) -> float:
    """The reference's learning rate at a fractional epoch."""
    if epoch < warmup:
        return lr * epoch / warmup
    share = (epoch - warmup) / (epochs - warmup)
    return lowest + (lr - lowest) * 0.5 * (1 + math.cos(math.pi * share))


@pytest.mark.parametrize(
    'name, epochs, warmup, lr, lowest, scales',
    [
        ('linear_sgd_8xb32-100e', 100, 0, 0.1, 0.0, [1.0]),
        ('linear_sgd_1xb32-50e', 50, 0, 0.1, 0.0, [1.0]),
        ('finetune_adamw_8xb6-100e', 100, 5, 3e-4, 1e-5, [0.512, 0.64, 0.8, 1.0]),
        ('finetune_adamw_1xb32-50e', 50, 3, 3e-4, 1e-5, [0.512, 0.64, 0.8, 1.0]),
    ],
)
def test_learning_rates(repo_root, tmp_path, name, epochs, warmup, lr, lowest, scales):
    cfg = Config.fromfile(repo_root / f'configs/_base_/schedules/{name}.py')
    runner = Runner(
        Classifier(),
        str(tmp_path),
        train_dataloader=DataLoader(range(EPOCH_LENGTH)),
        train_cfg=cfg.train_cfg,
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.param_scheduler,
        default_scope='mmaction',
        experiment_name=f'test_{name}',
    )
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    schedulers = runner.build_param_scheduler(runner.param_schedulers)
    groups = runner.optim_wrapper.optimizer.param_groups
    assert runner.max_epochs == epochs
    given = sorted({round(group['initial_lr'] / lr, 6) for group in groups})
    assert given == pytest.approx(scales)
    for i in range(epochs * EPOCH_LENGTH):
        wanted = half_cosine(i / EPOCH_LENGTH, warmup, epochs, lr, lowest)
        for group in groups:
            scale = group['initial_lr'] / lr
            assert group['lr'] == pytest.approx(wanted * scale, rel=1e-5, abs=1e-12), i
        runner.optim_wrapper.optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


def test_trained_parameters_only():
    """mmengine's own constructor would take the frozen ones too."""
    model = Classifier()
    model.backbone = nn.Linear(3, 8).requires_grad_(False)  # has no layers
    construct = LayerDecayOptimWrapperConstructor(dict(optimizer=dict(type='SGD', lr=0.1)))
    groups = construct(model).param_groups
    found = [id(param) for group in groups for param in group['params']]
    assert found == [id(param) for param in model.cls_head.parameters()]
    torch.testing.assert_close(groups[0]['lr'], 0.1)
