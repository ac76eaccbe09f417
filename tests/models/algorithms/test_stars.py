"""Stage 2 against the authors' arrays and a loop-written oracle."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from stars_mm.utils.checkpoint import convert_official, to_official


@pytest.fixture
def reference(golden, samples):
    """The authors' model, its inputs, data samples and arrays."""
    arrays, meta = golden('stars_tiny')
    sizes = ('in_channels', 'embed_dims', 'depth', 'num_heads')
    sizes += ('num_frames', 'num_joints', 'tubelet_size')
    head = dict(
        type='NNCLRHead',
        in_channels=meta['feature_dim'],
        hidden_channels=meta['predictor_hidden_dim'],
        queue_size=meta['queue_size'],
        temperature=meta['temperature'],
    )
    backbone = dict(type='SkeletonTransformer', **{key: meta[key] for key in sizes})
    model = MODELS.build(dict(type='STARS', backbone=backbone, head=head))
    state, _ = golden('stars_tiny', 'state/')
    state.update({key: arrays[key] for key in ('queue', 'queue_id', 'queue_ptr')})
    model.load_state_dict(convert_official(state))
    inputs = arrays['x'].permute(0, 4, 2, 3, 1)[:, None]
    return model, inputs, samples(arrays['ids']), arrays


def test_golden_forward(reference):
    model, inputs, _, arrays = reference
    feature = model.eval().extract_feat(inputs)
    torch.testing.assert_close(feature, arrays['feature'], rtol=1e-5, atol=1e-5)
    projection, prediction = model.train().head(model.extract_feat(inputs))
    torch.testing.assert_close(projection, arrays['project'], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(prediction, arrays['predict'], rtol=1e-5, atol=1e-5)
    assert torch.equal(model.head.queue.nearest(projection, arrays['ids']), arrays['nn_index'])


@pytest.mark.parametrize('num_views', [1, 2])
def test_golden_loss_gradients_and_queue(reference, golden, num_views):
    model, inputs, data_samples, arrays = reference
    inputs = inputs.expand(-1, num_views, -1, -1, -1, -1)
    assert arrays['queue_ptr'] + len(inputs) > arrays['queue'].shape[1]
    loss = model.loss(inputs, data_samples)['loss']
    torch.testing.assert_close(loss, arrays['loss'], rtol=1e-5, atol=0)

    found = to_official(model.state_dict())
    torch.testing.assert_close(found['queue'], arrays['queue_after'], rtol=1e-5, atol=1e-6)
    assert torch.equal(found['queue_id'], arrays['queue_id_after'])
    assert found['queue_ptr'].tolist() == [36 + 8 - 40]

    loss.backward()
    params = {f'head.queue.{key}': None for key in ('ids', 'ptr')}
    params['head.queue.feats'] = torch.zeros(1, 1)  # to get student names
    params.update({k: p.grad for k, p in model.named_parameters()})
    found = to_official(params)
    expected, _ = golden('stars_tiny', 'grad/')
    assert len(found) == len(expected) + 3
    # Ahead of a batch norm some gradients are zero but for rounding, so the
    # scale of comparison is the largest gradient of all.
    scale = max(value.abs().max() for value in expected.values()).item()
    for key, value in expected.items():
        atol = scale * (1e-4 if value.abs().max() < 1e-3 else 1e-5)
        grad = found[f'encoder_student.{key}']
        torch.testing.assert_close(grad, value, rtol=1e-4, atol=atol, msg=key)


def test_identical_views_are_encoded_once(stars, samples, encoded_rows):
    model = stars()
    once, inputs = copy.deepcopy(model), torch.randn(4, 1, 2, 8, 5, 3)
    rows = encoded_rows(model.backbone)
    loss = model.loss(inputs.expand(-1, 2, -1, -1, -1, -1), samples(range(4)))['loss']
    assert rows == [8]
    expected = once.loss(inputs, samples(range(4)))['loss']
    assert torch.equal(loss, expected)
    loss.backward(), expected.backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(model.parameters(), once.parameters()))
    for name, value in once.state_dict().items():  # batch norm, queue
        assert torch.equal(model.state_dict()[name], value), name
    inputs = inputs.repeat(1, 2, 1, 1, 1, 1)
    inputs[2, 1, 0, 3, 1, 0] += 1e-3
    model.loss(inputs, samples(range(4)))
    assert rows == [8, 16]  # one value makes two views


def test_neck_stands_before_the_head(stars, samples):
    neck = nn.Linear(16, 6)
    head = dict(type='NNCLRHead', in_channels=6, hidden_channels=8, queue_size=10)
    model = stars(neck=neck, head=head)
    inputs = torch.randn(4, 1, 2, 8, 5, 3)
    feat = neck(model.extract_feat(inputs))
    expected = copy.deepcopy(model.head).loss([feat], torch.arange(4))['loss']
    assert torch.equal(model.loss(inputs, samples(range(4)))['loss'], expected)
    assert model.extract_feat(inputs).shape == (4, 16)


def test_bad_inputs(stars, samples):
    model = stars()
    with pytest.raises(ValueError, match=r'got \(4, 2, 8, 5, 3\).*FormatGCNInput'):
        model.loss(torch.zeros(4, 2, 8, 5, 3), samples(range(4)))
    with pytest.raises(ValueError, match='11 features .* queue_size=10'):
        model.loss(torch.randn(11, 1, 2, 8, 5, 3), samples(range(11)))
    data_samples = samples(range(4))
    del data_samples[2].sample_idx
    with pytest.raises(KeyError, match='sample_idx.*PackActionInputs.*meta_k'):
        model.loss(torch.randn(4, 1, 2, 8, 5, 3), data_samples)


def test_a_part_of_the_tokens_is_seen_in_training(stars, samples, monkeypatch):
    model = stars(keep_ratio=0.5)
    inputs = torch.randn(3, 2, 1, 8, 5, 3)
    seen = []
    encode = model.backbone.encode

    def watch(x, ids_keep=None):
        seen.append(ids_keep)
        return encode(x, ids_keep)

    monkeypatch.setattr(model.backbone, 'encode', watch)
    found = model.training_features(inputs)
    assert found.shape == (3, 2, model.backbone.embed_dims)
    (ids,) = seen
    num_tokens = model.backbone.grid_size[0] * model.backbone.grid_size[1]
    assert ids.shape == (6, num_tokens // 2)
    assert all(len(set(row)) == len(row) for row in ids.tolist()) and len(ids.unique(dim=0)) > 1
    expected = encode(inputs.flatten(0, 2), ids).mean(dim=1).view(3, 2, -1)
    torch.testing.assert_close(found, expected)
    model.eval().extract_feat(inputs)
    assert seen[-1] is None  # all of them, outside of training


@pytest.mark.parametrize('ratio', [0, 1.5])
def test_keep_ratio_is_a_share(stars, ratio):
    with pytest.raises(ValueError, match=f'keep_ratio={ratio}'):
        stars(keep_ratio=ratio)
