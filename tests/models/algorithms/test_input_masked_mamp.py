"""Stage 1 of backbones that see hidden patches overwritten."""

import copy

import pytest
import torch
from mmaction.registry import MODELS

from stars_mm.models.heads import MAMPHead
from stars_mm.models.utils.masking import motion_aware_masking, patchify, random_masking
from stars_mm.preparation.layouts import NW_UCLA

GRAPH = dict(layout=NW_UCLA, mode='spatial')
SMALL = dict(base_channels=8, num_stages=4, inflate_stages=[2], graph_cfg=GRAPH)
SMALL['down_stages'] = [2, 3]
BACKBONES = dict(
    stgcnpp=dict(type='STGCN', gcn_adaptive='init', gcn_with_res=True, tcn_type='mstcn', **SMALL),
    aagcn=dict(type='AAGCN', num_person=2, **SMALL),
)


def build(backbone='stgcnpp', **changes):
    cfg = dict(
        type='InputMaskedMAMP',
        backbone=BACKBONES[backbone],
        neck=dict(type='FramePredictor', in_channels=16),
        head=dict(type='MAMPHead', tubelet_size=8, joint_patch_size=2),
        mask_ratio=0.6,
    )
    return MODELS.build({**cfg, **changes})


def hidden_frames(mask):
    """(B, 2 · 10) → (B, 16, 20), by loops."""
    found = torch.zeros(len(mask), 16, 20, dtype=torch.bool)
    for t in range(16):
        for v in range(20):
            found[:, t, v] = mask[:, (t // 8) * 10 + v // 2] == 1
    return found


@pytest.mark.parametrize('backbone', BACKBONES)
def test_loss_by_its_parts(backbone):
    model = build(backbone)
    twin = copy.deepcopy(model)  # attention and batch norm as at this moment
    inputs, noise = torch.randn(3, 2, 2, 16, 20, 3), torch.rand(12, 20)
    loss = model.loss(inputs, noise=noise)['loss']

    x = inputs.reshape(12, 16, 20, 3)
    mask = motion_aware_masking(patchify(x, 8, 2), 0.6, 0.8, noise)[2]
    seen = x.clone()
    seen[hidden_frames(mask)] = twin.mask_value
    feats = twin.backbone(seen.reshape(6, 2, 16, 20, 3)).flatten(0, 1)
    assert feats.shape == (12, 16, 4, 20)
    frames = []
    for t in range(16):
        cells = twin.neck.pred(feats[..., t // 4, :].transpose(1, 2)).reshape(12, 20, 4, 3)
        frames.append(cells[:, :, t % 4])
    pred = patchify(torch.stack(frames, dim=1), 8, 2).flatten(1, 2)
    expected = MAMPHead(tubelet_size=8, joint_patch_size=2).loss(pred, x, mask)['loss']
    torch.testing.assert_close(loss, expected)
    loss.backward(), expected.backward()
    for part in ('mask_value', 'neck.pred.weight', 'backbone.data_bn.weight'):
        grad = model.get_parameter(part).grad
        assert grad.any(), part
        torch.testing.assert_close(grad, twin.get_parameter(part).grad, rtol=1e-3, atol=1e-5)


def test_what_is_hidden_does_not_leak():
    model = build(motion_aware_tau=None)
    x, noise = torch.randn(4, 16, 20, 3), torch.rand(4, 20)
    mask = model.mask(x, noise)[2]
    assert torch.equal(mask, random_masking(patchify(x, 8, 2), 0.6, noise)[2])
    hidden = hidden_frames(mask)[..., None]

    def predict(clip):
        return copy.deepcopy(model).predict_patches(model.hide(clip, mask).unflatten(0, (2, 2)))

    assert torch.equal(predict(torch.where(hidden, torch.randn_like(x) * 9, x)), predict(x))
    assert not torch.equal(predict(torch.where(hidden, x, x + 1)), predict(x))


def test_stage_2_takes_its_encoder(stars):
    model = build()
    head = dict(type='NNCLRHead', in_channels=16, queue_size=10)
    tuned = stars(backbone=BACKBONES['stgcnpp'], head=head)
    missing, unexpected = tuned.load_state_dict(model.state_dict(), strict=False)
    assert not any(name.startswith('backbone.') for name in missing)
    assert set(unexpected) == {'mask_value', 'neck.pred.weight', 'neck.pred.bias'}
    inputs = torch.randn(2, 1, 2, 16, 20, 3)
    torch.testing.assert_close(tuned.eval().extract_feat(inputs), model.eval().extract_feat(inputs))
