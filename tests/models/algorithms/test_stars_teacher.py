"""STARS whose head learns from a moving average of the model."""

import copy

import pytest
import torch
from torch import nn

SIZES = dict(in_channels=16, hidden_channels=24, teacher_momentum=0.9)
MOCO = dict(type='MoCoHead', queue_size=10, **SIZES)
DINO = dict(type='DINOHead', out_channels=7, **SIZES)


def batch(samples, views=1):
    return torch.randn(4, views, 2, 8, 5, 3), samples(range(4))


def outputs_of(model, inputs):
    """Projector outputs of each view, by the parts themselves."""
    feats = [model.backbone(view).mean((1, 3, 4)) for view in inputs.unbind(1)]
    return [model.head.projector(feat) for feat in feats]


@pytest.mark.parametrize('head', [MOCO, DINO], ids=['moco', 'dino'])
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


def test_only_the_student_is_trained_and_the_neck_is_averaged_too(stars, samples):
    model = stars(neck=nn.Linear(16, 6), head={**MOCO, 'in_channels': 6})
    model.loss(*batch(samples, views=2))['loss'].backward()
    for name, param in model.named_parameters():
        trained = not name.startswith('teacher.')
        assert param.requires_grad == trained, name
        assert (param.grad is not None) == trained, name
    assert torch.equal(model.teacher.module.neck.weight, model.neck.weight)


def test_teacher_starts_from_weights_that_are_loaded(stars, samples):
    model, pretrained = stars(head=dict(MOCO)), stars(head=dict(MOCO)).backbone.state_dict()
    model.load_state_dict({f'backbone.{k}': v for k, v in pretrained.items()}, strict=False)
    model.loss(*batch(samples))
    for name, value in model.teacher.module.backbone.state_dict().items():
        assert torch.equal(value, pretrained[name]), name
