"""STARS whose head learns from a moving average of the model."""

import copy

import pytest
import torch
from torch import nn

MOCO = dict(
    type='MoCoHead', in_channels=16, hidden_channels=24, queue_size=10, teacher_momentum=0.9
)
DINO = dict(
    type='DINOHead', in_channels=16, hidden_channels=24, out_channels=7, teacher_momentum=0.9
)
HEADS = pytest.mark.parametrize('head', [MOCO, DINO], ids=['moco', 'dino'])


def batch(samples, views=1):
    return torch.randn(4, views, 2, 8, 5, 3), samples(range(4))


def outputs_of(model, inputs):
    """Projector outputs of each view, by the parts themselves."""
    feats = [model.backbone(view).mean((1, 3, 4)) for view in inputs.unbind(1)]
    return [model.head.projector(feat) for feat in feats]


@HEADS
def test_loss_is_the_heads_with_the_teachers_targets(head, stars, samples):
    model = stars(head=dict(head))
    average, previous = copy.deepcopy(model), copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        inputs, data_samples = batch(samples, views=2)
        with torch.no_grad():
            if step:  # the first update copies
                for mean, param in zip(average.parameters(), model.parameters()):
                    mean.copy_(0.9 * mean + 0.1 * param)
            targets = outputs_of(average, inputs)
        previous.load_state_dict(model.state_dict())
        feats = [previous.backbone(view).mean((1, 3, 4)) for view in inputs.unbind(1)]
        expected = previous.head.loss(feats, torch.arange(4), targets)['loss']
        loss = model.loss(inputs, data_samples)['loss']
        torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    for name, param in model.teacher.module.named_parameters():
        name = name.replace('projector.', 'head.projector.')
        torch.testing.assert_close(
            param, dict(average.named_parameters())[name], rtol=1e-4, atol=1e-6
        )


def test_only_the_student_is_trained(stars, samples):
    model = stars(head=dict(MOCO))
    model.loss(*batch(samples, views=2))['loss'].backward()
    for name, param in model.named_parameters():
        trained = not name.startswith('teacher.')
        assert param.requires_grad == trained, name
        assert (param.grad is not None) == trained, name


def test_teacher_starts_from_weights_that_are_loaded(stars, samples):
    model, pretrained = stars(head=dict(MOCO)), stars(head=dict(MOCO))
    state = {
        name: value
        for name, value in pretrained.state_dict().items()
        if name.startswith('backbone.')
    }
    model.load_state_dict(state, strict=False)
    model.loss(*batch(samples))
    teacher = model.teacher.module
    for name, value in pretrained.backbone.state_dict().items():
        assert torch.equal(teacher.backbone.state_dict()[name], value), name


def test_neck_is_averaged_too(stars, samples):
    model = stars(neck=nn.Linear(16, 6), head={**MOCO, 'in_channels': 6})
    model.loss(*batch(samples))
    assert torch.equal(model.teacher.module.neck.weight, model.neck.weight)
