"""What spares work gives what the plain schedule gives."""

import numpy as np
import plain_schedule as plain
import pytest
import speed_cases
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope

from stars_mm.models.utils.transformer import SelfAttention

CPU = torch.device('cpu')


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def sizes() -> speed_cases.Sizes:
    """Models of 16 channels, on clips of which one person is often absent."""
    return speed_cases.Sizes().tiny()


def build(cfg: dict):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg)


def assert_same_step(ours, found, plainly, expected):
    """Of losses to 1e-5; of the gradients of what is trained, to 1e-4 of the largest."""
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    found.backward()
    expected.backward()
    theirs = dict(plainly.named_parameters())
    trained = [(name, param) for name, param in ours.named_parameters() if param.requires_grad]
    assert trained
    for name, param in trained:
        wanted = theirs[name].grad
        atol = 1e-4 * wanted.abs().max().item() + 1e-7
        torch.testing.assert_close(param.grad, wanted, rtol=1e-4, atol=atol, msg=name)


@pytest.fixture
def mamp(sizes):
    """``mamp(depth=2, **changes)`` → MAMP that hides 80 % of the tokens."""

    def _mamp(depth=2, **changes):
        neck = dict(type='MAMPDecoder', embed_dims=16, depth=depth)
        parts = dict(backbone=sizes.encoder, neck=neck, head=dict(type='MAMPHead'))
        return build(dict(type='MAMP', mask_ratio=0.8, **parts, **changes))

    return _mamp


@pytest.fixture
def stars(sizes):
    """``stars(frozen_stages)`` → STARS with a queue of 20."""

    def _stars(frozen_stages):
        head = dict(type='NNCLRHead', in_channels=16, hidden_channels=24, queue_size=20)
        backbone = dict(sizes.encoder, frozen_stages=frozen_stages)
        return build(dict(type='STARS', backbone=backbone, head=head))

    return _stars


def test_written_out_attention_is_the_fused_one():
    attention, x = SelfAttention(24, 3), torch.randn(2, 7, 24)
    torch.testing.assert_close(plain.attend(attention, x), attention(x))


@pytest.mark.parametrize('depth, skip_absent', [(0, False), (2, False), (2, True)])
def test_stage_1_predicts_hidden_tokens_alone(mamp, sizes, depth, skip_absent):
    """Of those that are present, if it is asked to, whom the plain loss is given alone."""
    model, inputs = mamp(depth, skip_absent=skip_absent), speed_cases.draw_clips(sizes)
    noise, given = torch.rand(10, 20), inputs.flatten(0, 2)
    present = given.flatten(1).any(dim=1)
    assert present.sum() == 6
    present |= not skip_absent
    thawed = plain.thawed(model)
    expected = plain.mamp_loss(thawed, given[present][:, None, None], noise[present])
    assert_same_step(model, model.loss(inputs, noise=noise)['loss'], thawed, expected)


@pytest.mark.parametrize('frozen_stages', [-1, 1])
def test_stage_2(stars, sizes, frozen_stages):
    # a batch norm over five clips magnifies what single precision rounds
    model, clips = stars(frozen_stages).double(), speed_cases.draw_clips(sizes)
    model.head.queue.float()
    inputs = clips.double().expand(-1, 2, -1, -1, -1, -1)
    samples = [ActionDataSample(metainfo=dict(sample_idx=i)) for i in range(5)]
    thawed = plain.thawed(model)
    expected = plain.stars_loss(thawed, inputs, torch.arange(5))['loss']
    assert_same_step(model, model.loss(inputs, samples)['loss'], thawed, expected)
    torch.testing.assert_close(model.head.queue.feats, thawed.head.queue.feats, rtol=0, atol=1e-6)


@pytest.mark.parametrize('second', ['absent', 'repeated', 'another'])
def test_encoding(stars, sizes, second):
    model, inputs = stars(-1).eval(), speed_cases.draw_clips(sizes)
    if second == 'repeated':
        inputs[:, :, 1] = inputs[:, :, 0]
    elif second == 'another':
        inputs[:, :, 1] = inputs[:, :, 0].flip(0)
    expected = plain.features(model.backbone, inputs).mean(dim=1)
    torch.testing.assert_close(model.extract_feat(inputs), expected, rtol=0, atol=1e-6)


def test_the_pipeline(sizes):
    case = speed_cases.data(sizes, CPU)
    for ours, plainly in zip(case.runs['parity'](), case.runs['plain']()):
        torch.testing.assert_close(ours, plainly, rtol=0, atol=2e-5)


def test_the_neighbors(sizes):
    case = speed_cases.knn(sizes, CPU)
    np.testing.assert_array_equal(case.runs['parity'](), case.runs['plain']())
