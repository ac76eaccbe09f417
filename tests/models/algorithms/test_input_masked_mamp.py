"""Stage 1 of backbones that see hidden patches overwritten."""

import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from stars_mm.models.heads import MAMPHead
from stars_mm.models.utils.masking import motion_aware_masking, patchify, random_masking
from stars_mm.preparation.layouts import NW_UCLA

SMALL = dict(
    base_channels=8,
    num_stages=4,
    inflate_stages=[2],
    down_stages=[2, 3],
    graph_cfg=dict(layout=NW_UCLA, mode='spatial'),
)
BACKBONES = dict(
    stgcn=dict(type='STGCN', **SMALL),
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
    for b in range(len(mask)):
        for t in range(16):
            for v in range(20):
                found[b, t, v] = mask[b, (t // 8) * 10 + v // 2] == 1
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
    frames = torch.stack(
        [
            twin.neck.pred(feats[..., t // 4, :].transpose(1, 2)).reshape(12, 20, 4, 3)[:, :, t % 4]
            for t in range(16)
        ],
        dim=1,
    )
    head = MAMPHead(tubelet_size=8, joint_patch_size=2)
    expected = head.loss(patchify(frames, 8, 2).flatten(1, 2), x, mask)
    torch.testing.assert_close(loss, expected['loss'])


def test_what_is_hidden_does_not_leak():
    model = build(motion_aware_tau=None)
    x, noise = torch.randn(4, 16, 20, 3), torch.rand(4, 20)
    mask = model.mask(x, noise)[2]
    assert torch.equal(mask, random_masking(patchify(x, 8, 2), 0.6, noise)[2])
    other = torch.where(hidden_frames(mask)[..., None], torch.randn_like(x) * 9, x)
    shapes = [
        copy.deepcopy(model).predict_patches(model.hide(clip, mask).unflatten(0, (2, 2)))
        for clip in (x, other)
    ]
    assert torch.equal(*shapes)
    seen = x.clone()
    seen[~hidden_frames(mask)] += 1.0
    assert not torch.equal(
        shapes[0], copy.deepcopy(model).predict_patches(model.hide(seen, mask).unflatten(0, (2, 2)))
    )


def test_gradient_reaches_everything():
    model = build()
    with torch.no_grad():
        model.mask_value.fill_(0.1)
        for name, param in model.named_parameters():
            if name.endswith(('alpha', 'gcn.bn.weight')) or '.PA' in name:
                param.normal_()  # starts (almost) as 0
    model.loss(torch.randn(3, 1, 2, 16, 20, 3))['loss'].backward()
    for name, param in model.named_parameters():
        assert param.grad is not None, name
        assert param.grad.any(), name


@pytest.mark.slow
@pytest.mark.parametrize('backbone', BACKBONES)
def test_the_loss_falls(backbone):
    """Waving joints: hidden motion can be told from what is seen."""
    torch.manual_seed(1)
    model = build(backbone, mask_ratio=0.3)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model.init_weights()
    phase = torch.rand(16, 1, 1, 1, 1, 3) * 6
    frame = torch.arange(16.0)[:, None, None] / 2
    inputs = torch.sin(phase + frame + torch.arange(20.0)[:, None] / 7)
    inputs = inputs.expand(-1, -1, 2, -1, -1, -1).contiguous()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(50):
        loss = model.loss(inputs)['loss']
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(loss.item())
    # a prediction of 0 would cost about 1, the variance of a patch
    assert sum(losses[-5:]) / 5 < 0.6 < 0.9 < sum(losses[:5]) / 5


def test_stage_2_takes_its_encoder(stars):
    model = build()
    tuned = stars(
        backbone=BACKBONES['stgcnpp'], head=dict(type='NNCLRHead', in_channels=16, queue_size=10)
    )
    missing, unexpected = tuned.load_state_dict(model.state_dict(), strict=False)
    assert not any(name.startswith('backbone.') for name in missing)
    assert set(unexpected) == {'mask_value', 'neck.pred.weight', 'neck.pred.bias'}
    inputs = torch.randn(2, 1, 2, 16, 20, 3)
    torch.testing.assert_close(tuned.eval().extract_feat(inputs), model.eval().extract_feat(inputs))
