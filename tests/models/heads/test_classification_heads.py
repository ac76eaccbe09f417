"""The heads of linear probing and finetuning under mmaction2's recognizer."""

import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope

from stars_mm.models.heads import JointMLPHead, LinearProbeHead
from stars_mm.utils.checkpoint import convert_official

HEADS = dict(
    linprobe=dict(type='LinearProbeHead'), finetune=dict(type='JointMLPHead', num_joints=5)
)


def samples(labels) -> list:
    return [ActionDataSample().set_gt_label(int(label)) for label in labels]


@pytest.mark.parametrize('type', ['RecognizerGCN', 'FrozenRecognizerGCN'])
@pytest.mark.parametrize('kind', HEADS)
def test_logits_of_the_reference(golden, encoder_cfg, kind, type):
    arrays, meta = golden('heads_tiny', f'{kind}/')
    official, _ = golden('heads_tiny', f'{kind}/state/')
    sizes = ('embed_dims', 'depth', 'num_heads', 'num_frames', 'num_joints')
    backbone = encoder_cfg(**{key: meta[key] for key in sizes})
    head = dict(HEADS[kind], num_classes=7, in_channels=32)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(dict(type=type, backbone=backbone, cls_head=head)).eval()
    model.load_state_dict(convert_official(official))
    x = arrays['x'].permute(0, 4, 2, 3, 1)[:, None]
    logits = model(x, stage='head')
    torch.testing.assert_close(logits, arrays['logits'], rtol=1e-5, atol=1e-6)
    for sample, row in zip(model.predict(x, samples([0] * len(x))), logits):
        torch.testing.assert_close(sample.pred_score, row.softmax(0))
        assert sample.pred_label.item() == row.argmax().item()


def test_the_probe_standardizes_by_the_batch():
    head = LinearProbeHead(num_classes=4, in_channels=6).train()
    head.init_weights()
    assert head.fc[1].weight.abs().max() < 0.06 and not head.fc[1].bias.any()
    x = 3 + 2 * torch.randn(5, 2, 6, 3, 4)
    feat = x.mean((1, 3, 4))
    variance = ((feat - feat.mean(0)) ** 2).sum(0) / 5
    feat = (feat - feat.mean(0)) / (variance + 1e-6).sqrt()
    expected = feat @ head.fc[1].weight.t() + head.fc[1].bias
    torch.testing.assert_close(head(x), expected)
    assert [name for name, _ in head.named_parameters()] == ['fc.1.weight', 'fc.1.bias']


def test_dropout_acts_on_the_feature_map():
    """One value in 300 is dropped apart from those it is averaged with."""
    head = JointMLPHead(2, in_channels=3, num_joints=1, dropout=0.5).train()
    head.fc1 = head.bn = head.relu = head.fc2 = torch.nn.Identity()
    x = torch.ones(1, 3, 3, 100, 1)
    feat = head(x)
    kept = feat * 300 / 2  # of 300 values a channel, each kept one counts 2
    torch.testing.assert_close(kept, kept.round())
    assert ((kept > 100) & (kept < 200)).all()
    assert torch.equal(head.eval()(x), torch.ones(1, 3))


def test_losses():
    logits, labels = torch.randn(5, 7), torch.tensor([0, 6, 2, 2, 5])
    for head, smoothing in (
        (LinearProbeHead(7), 0.0),
        (JointMLPHead(7), 0.1),
        (JointMLPHead(7, label_smooth_eps=0.3), 0.3),
    ):
        losses = head.loss_by_feat(logits, samples(labels))
        expected = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        torch.testing.assert_close(losses['loss_cls'], expected)
        accuracy = (logits.argmax(1) == labels).float().mean()
        assert losses['top1_acc'].item() == pytest.approx(accuracy.item())


def test_published_numbers():
    probe, mlp = LinearProbeHead(60), JointMLPHead(60)
    assert probe.fc[0].eps == 1e-6 and not probe.fc[0].affine
    assert probe.fc[1].weight.shape == (60, 256)
    assert mlp.fc1.weight.shape == (2048, 25 * 256)
    assert mlp.fc2.weight.shape == (60, 2048)
    assert (mlp.dropout.p, mlp.label_smooth_eps) == (0.3, 0.1)
