"""One stage with both losses: the sum of the two stages' own."""

import copy

import pytest
import torch

HEAD = dict(type='NNCLRHead', in_channels=16, hidden_channels=24, queue_size=10)


@pytest.mark.parametrize('num_views', [1, 2])
def test_sum_of_mamp_and_stars(mamp, stars, samples, num_views):
    model = mamp(type='MAMPNNCLR', contrast_head=HEAD, contrast_weight=0.3)
    first, second = mamp(), stars(head=HEAD)
    second.head.load_state_dict(model.contrast_head.state_dict())
    for stage in (first, second):
        stage.backbone.load_state_dict(model.backbone.state_dict())
    first.neck.load_state_dict(model.neck.state_dict())
    inputs, ids = torch.randn(4, num_views, 2, 8, 5, 3), samples(range(4))
    noise = torch.rand(4 * num_views * 2, 10)

    found = model.loss(inputs, ids, noise)
    motion = first.loss(inputs, ids, noise)['loss']
    contrast = second.loss(inputs, ids)['loss']
    torch.testing.assert_close(found['loss'], motion + 0.3 * contrast)
    torch.testing.assert_close(found['motion'], motion)
    torch.testing.assert_close(found['contrast'], contrast)
    assert not found['motion'].requires_grad
    for name, value in second.head.queue.state_dict().items():
        torch.testing.assert_close(model.contrast_head.queue.state_dict()[name], value)

    found['loss'].backward(), (motion + 0.3 * contrast).backward()
    for name, param in model.backbone.named_parameters():
        grads = [stage.backbone.get_parameter(name).grad for stage in (first, second)]
        torch.testing.assert_close(param.grad, sum(grads), rtol=1e-4, atol=1e-5)


def test_identical_views_are_contrasted_once(mamp, samples, encoded_rows):
    model = mamp(type='MAMPNNCLR', contrast_head=HEAD)
    rows = encoded_rows(model.backbone)
    inputs = torch.randn(4, 1, 2, 8, 5, 3).repeat(1, 2, 1, 1, 1, 1)
    copied = copy.deepcopy(model)
    model.loss(inputs, samples(range(4)))
    assert rows == [16, 8]  # persons of both views, then of one
    inputs[0, 1] += 0.1
    copied.loss(inputs, samples(range(4)))
    assert rows[2:] == [16, 16]
