"""Stage 1 against the authors' arrays and smaller oracles."""

import pytest
import torch
from mmaction.registry import MODELS

from stars_mm.utils.checkpoint import convert_official, to_official


@pytest.mark.parametrize('name', ['mamp_tiny', 'mamp_ntu_layout', 'mae_tiny'])
def test_golden_arrays(golden, name):
    arrays, meta = golden(name)
    sizes = ('in_channels', 'embed_dims', 'depth', 'num_heads', 'mlp_ratio')
    sizes += ('num_frames', 'num_joints', 'tubelet_size')
    decoder = dict(depth=meta['decoder_depth'], num_heads=meta['num_heads'])
    motion_stride = None if meta['objective'] == 'mae' else meta['motion_stride']
    cfg = dict(
        type='MAMP',
        backbone=dict(type='SkeletonTransformer', **{key: meta[key] for key in sizes}),
        neck=dict(type='MAMPDecoder', embed_dims=meta['embed_dims'], **decoder),
        head=dict(type='MAMPHead', norm_target=meta['norm_target'], motion_stride=motion_stride),
        mask_ratio=meta['mask_ratio'],
        motion_aware_tau=meta['motion_aware_tau'],
    )
    model = MODELS.build(cfg)
    model.load_state_dict(convert_official(golden(name, 'state/')[0]))
    # (N, C, T, V, M) → (N, clips, M, T, V, C)
    inputs = arrays['x'].permute(0, 4, 2, 3, 1)[:, None]

    output = model.reconstruct(inputs, arrays['uniform'])
    assert torch.equal(output['mask'], arrays['mask'])
    torch.testing.assert_close(output['pred'], arrays['pred'], rtol=1e-5, atol=1e-5)

    loss = model.loss(inputs, noise=arrays['uniform'])['loss']
    torch.testing.assert_close(loss, arrays['loss'], rtol=1e-5, atol=0)
    loss.backward()
    found = to_official({name: param.grad for name, param in model.named_parameters()})
    expected, _ = golden(name, 'grad/')
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        scale = value.abs().max().item()
        torch.testing.assert_close(found[key], value, rtol=1e-4, msg=key, atol=1e-4 * scale)


def test_shapes_left_out_are_the_backbones(encoder_cfg, mamp):
    backbone = encoder_cfg(in_channels=2, num_joints=6, joint_patch_size=3, tubelet_size=2)
    model = mamp(backbone=backbone, mask_ratio=0.5)
    output = model.reconstruct(torch.randn(3, 1, 2, 8, 6, 2))
    assert output['pred'].shape == output['target'].shape == (6, 8, 2 * 3 * 2)
    assert output['mask'].sum(1).tolist() == [4] * 6
    model.loss(torch.randn(3, 1, 2, 8, 6, 2))['loss'].backward()
    assert all(param.grad.any() for param in model.parameters())


def test_the_draw_is_the_only_chance_and_kept_tokens_alone_are_encoded(mamp):
    model, inputs = mamp(), torch.randn(2, 3, 2, 8, 5, 3)
    seen = []
    model.backbone.patch_embed.register_forward_pre_hook(
        lambda module, args: seen.append(tuple(args[0].shape))
    )
    torch.manual_seed(5)
    drawn = model.loss(inputs)['loss']
    assert seen == [(2 * 3 * 2, 3, 12)]  # clips and persons × kept × patch
    torch.manual_seed(5)
    assert torch.equal(model.loss(inputs, noise=torch.rand(12, 10))['loss'], drawn)
    assert not torch.equal(model.loss(inputs)['loss'], drawn)


def test_a_drawn_part_is_predicted_from_kept_tokens(mamp):
    cross = dict(type='MAMPCrossDecoder', embed_dims=16, depth=1, num_heads=2, predict_ratio=0.4)
    model, inputs, noise = mamp(neck=cross), torch.randn(3, 1, 2, 8, 5, 3), torch.rand(6, 10)
    drawn = []
    predict = model.neck.predict_hidden
    model.neck.predict_hidden = lambda *args: drawn.append(args[2]) or predict(*args)
    torch.manual_seed(5)
    loss = model.loss(inputs, noise=noise)['loss']
    torch.manual_seed(5)
    assert torch.equal(model.loss(inputs, noise=noise)['loss'], loss)
    assert torch.equal(*drawn)
    torch.manual_seed(6)
    assert not torch.equal(model.loss(inputs, noise=noise)['loss'], loss)

    # the error of 3 of the 7 hidden tokens of each person, by the prediction of all
    output = model.reconstruct(inputs, noise)
    error = (output['pred'] - output['target']).square().mean(-1)
    assert drawn[0].shape == (6, 3) and output['mask'].gather(1, drawn[0]).all()
    torch.testing.assert_close(error.gather(1, drawn[0]).mean(), loss)
    # what is hidden does not change a prediction
    hidden = output['mask'].reshape(6, 2, 1, 5, 1).expand(-1, -1, 4, -1, 3).reshape(6, 8, 5, 3)
    model.mask = lambda x, noise: mamp().mask(inputs.flatten(0, 2), noise)
    other = model.reconstruct(inputs + hidden.reshape(inputs.shape), noise)
    torch.testing.assert_close(other['pred'], output['pred'])
    loss.backward()
    assert all(param.grad.any() for param in model.parameters())


def test_tau_and_its_absence_choose_the_masking(mamp):
    x, noise = torch.randn(2, 8, 5, 3), torch.rand(2, 10)
    _, _, uniform = mamp(motion_aware_tau=None).mask(x, noise)
    assert torch.equal(uniform, (noise.argsort(1).argsort(1) >= 3).float())
    assert not torch.equal(mamp(motion_aware_tau=0.01).mask(x, noise)[2], uniform)


def test_absent_persons_count_unless_skipped(mamp):
    model = mamp()
    inputs = torch.randn(3, 1, 2, 8, 5, 3)
    inputs[1, 0, 1] = 0
    inputs[2, 0, 0, 2:5] = 0  # present, though some frames are empty
    noise = torch.rand(6, 10)
    persons = inputs.flatten(0, 2)

    # every person has as many hidden tokens: the loss is the mean of persons
    single = torch.stack(
        [model.loss(persons[i][None, None, None], noise=noise[[i]])['loss'] for i in range(6)]
    )
    loss = model.loss(inputs, noise=noise)['loss']
    torch.testing.assert_close(loss, single.mean())

    skipping = mamp(skip_absent=True)
    skipping.load_state_dict(model.state_dict())
    found = skipping.loss(inputs, noise=noise)['loss']
    expected = single[[0, 1, 2, 4, 5]].mean()
    torch.testing.assert_close(found, expected)
    assert abs(found - loss) > 1e-3
    grads = torch.autograd.grad(found, list(skipping.parameters()))
    expected = torch.autograd.grad(expected, list(model.parameters()))
    torch.testing.assert_close(grads, expected, rtol=1e-4, atol=1e-6)

    nobody = skipping.loss(torch.zeros(2, 1, 2, 8, 5, 3))['loss']
    nobody.backward()
    assert nobody.isfinite()
    assert all(param.grad.isfinite().all() for param in skipping.parameters())


def test_sequence_feature_is_the_plain_mean(mamp):
    model = mamp().eval()
    inputs = torch.randn(3, 2, 2, 8, 5, 3)
    tokens = model.backbone.encode(inputs.flatten(0, 2))  # (12, 10, 16)
    expected = torch.stack([tokens[n * 4 : n * 4 + 4].reshape(-1, 16).mean(0) for n in range(3)])
    torch.testing.assert_close(model.extract_feat(inputs), expected)


def test_autocast_hides_the_same_and_scores_alike(mamp):
    model, inputs, noise = mamp(), torch.randn(4, 1, 2, 8, 5, 3), torch.rand(8, 10)
    expected = model.loss(inputs, noise=noise)['loss']
    mask = model.mask(inputs.flatten(0, 2), noise)[2]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = model.loss(inputs, noise=noise)['loss']
        assert torch.equal(model.mask(inputs.flatten(0, 2), noise)[2], mask)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0)
