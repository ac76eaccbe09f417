"""A run whose head learns from a teacher: schedule, checkpoint, resuming."""

import math

import pytest
import torch
from mmengine.hooks import Hook

MOCO = dict(_delete_=True, type='MoCoHead', in_channels=16, hidden_channels=32, queue_size=20)
DINO = dict(_delete_=True, type='DINOHead', in_channels=16, hidden_channels=32, out_channels=8)


class Momentum(Hook):
    """Notes the teacher's momentum at every iteration."""

    def __init__(self) -> None:
        self.found = []

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        self.found.append(runner.bare_model.teacher.momentum)


@pytest.fixture
def train(load_cfg, build, trained):
    def _train(work_dir, head, stop_in=None, **options):
        checkpoint = str(trained / 'pretrain/epoch_4.pth')
        options = dict(dict(stages=[], load_from=checkpoint), **options)
        cfg = load_cfg(work_dir, {'model.head': head, **options})
        if stop_in is not None:
            cfg.custom_hooks.append(dict(type='Interrupt', epoch=stop_in))
        runner = build(cfg)
        momentum = Momentum()
        runner.register_hook(momentum)
        if stop_in is None:
            runner.train()
        else:
            with pytest.raises(KeyboardInterrupt):
                runner.train()
        return momentum.found

    return _train


def test_interrupted_and_resumed(train, tmp_path, assert_same_run):
    whole = train(tmp_path / 'whole', MOCO)
    train(tmp_path / 'stopped', MOCO, stop_in=2)
    resumed = train(tmp_path / 'stopped', MOCO, resume=True, load_from=None)
    assert_same_run(tmp_path / 'whole', tmp_path / 'stopped')
    assert resumed == whole[-len(resumed) :]

    state = torch.load(tmp_path / 'whole/epoch_4.pth')['state_dict']
    for name in [name for name in state if name.startswith('backbone.')]:
        tuned = name.startswith(('backbone.blocks.1.', 'backbone.norm.'))
        assert torch.equal(state[f'teacher.module.{name}'], state[name]) != tuned, name


def test_momentum_counts_the_iterations_of_the_data_loader(train, tmp_path):
    """21 clips in batches of 4, the last one dropped, 4 epochs."""
    found = train(tmp_path, DINO)
    expected = [1 - 0.004 * (1 + math.cos(math.pi * i / 20)) / 2 for i in range(20)]
    assert found == pytest.approx(expected, abs=1e-9)
