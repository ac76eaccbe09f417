"""The moving average against its closed form."""

import math

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from stars_mm.models.utils.teacher import Branch, MomentumTeacher


@pytest.fixture
def hub():
    """The message hub of a training, as the runner's hooks leave it."""
    hubs = dict(MessageHub._instance_dict)
    yield MessageHub.get_instance('a training')
    MessageHub._instance_dict.clear()
    MessageHub._instance_dict.update(hubs)


def student() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def follow(teacher, model, num_updates):
    """Random students; gives the weights of each, first the copied one."""
    weights = []
    for _ in range(num_updates):
        with torch.no_grad():
            for param in model.parameters():
                param.normal_()
        teacher.update(model)
        weights.append(model[0].weight.detach().clone())
    return weights


def test_momentum_follows_half_a_cosine(hub):
    model = student()
    teacher = MomentumTeacher(model, (0.9, 1.0))
    assert teacher.momentum == 0.9  # no training yet
    hub.update_info('max_iters', 8)
    expected = None
    for iteration in range(9):
        hub.update_info('iter', iteration)
        (weight,) = follow(teacher, model, 1)
        m = 1 - 0.1 * (math.cos(math.pi * iteration / 8) + 1) / 2
        assert teacher.momentum == pytest.approx(m)
        expected = weight if expected is None else m * expected + (1 - m) * weight
        torch.testing.assert_close(teacher.module[0].weight, expected)
    assert teacher.momentum == 1


def test_buffers_and_modes_are_the_students():
    model = student()
    teacher = MomentumTeacher(model, 0.5)
    for mode in (True, False):
        model.train()
        model(torch.randn(5, 3))
        model[1].train(mode)
        teacher.update(model)
        for own, its in zip(teacher.module.buffers(), model.buffers()):
            assert torch.equal(own, its) and own is not its
        assert [m.training for m in teacher.module] == [True, mode]


def test_branch_gives_an_output_a_view(encoder):
    backbone, neck, projector = encoder(), nn.Linear(16, 6), nn.Linear(6, 2)
    inputs = torch.randn(4, 3, 2, 8, 5, 3)
    found = Branch(backbone, projector, neck)(inputs)
    for view, output in enumerate(found):
        tokens = backbone(inputs[:, view])
        torch.testing.assert_close(output, projector(neck(tokens.mean(dim=(1, 3, 4)))))
    assert len(found) == 3
