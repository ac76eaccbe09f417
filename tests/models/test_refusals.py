"""Arguments and inputs that do not fit: each error says which, and with what value."""

import pytest
import torch
from mmaction.registry import MODELS

from stars_mm.models import heads, necks
from stars_mm.models.backbones import SkeletonTransformer
from stars_mm.models.data_preprocessors import StreamPreprocessor
from stars_mm.models.utils.clustering import koleo
from stars_mm.models.utils.feature_queue import FeatureQueue
from stars_mm.models.utils.masking import (
    motion_aware_masking,
    num_kept_tokens,
    patchify,
    random_masking,
)
from stars_mm.models.utils.teacher import MomentumTeacher
from stars_mm.models.utils.transformer import TransformerBlock
from stars_mm.preparation.layouts import NW_UCLA

ENCODER = dict(embed_dims=16, depth=2, num_heads=2, num_frames=8, num_joints=5)
BACKBONE = dict(type='SkeletonTransformer', **ENCODER)
GRAPH = dict(layout=NW_UCLA, mode='spatial')
STGCN = dict(type='STGCN', graph_cfg=GRAPH, base_channels=8, num_stages=3, inflate_stages=[2])
STGCN['down_stages'] = [2, 3]
NNCLR = dict(type='NNCLRHead', in_channels=16, hidden_channels=24, queue_size=10)
CLIPS = torch.zeros(2, 1, 2, 8, 5, 3)


def mamp(type='MAMP', **changes):
    decoder = dict(type='MAMPDecoder', embed_dims=16, depth=1, num_heads=2)
    cfg = dict(type=type, backbone=BACKBONE, neck=decoder, head=dict(type='MAMPHead'))
    return MODELS.build({**cfg, 'mask_ratio': 0.65, **changes})


def graph_loss(stride, frames):
    neck = dict(type='FramePredictor', in_channels=16, temporal_stride=stride)
    head = dict(type='MAMPHead', tubelet_size=2)
    model = mamp('InputMaskedMAMP', backbone=STGCN, neck=neck, head=head)
    return model.loss(torch.zeros(1, 1, 1, frames, 20, 3))


def encode(*shape):
    return SkeletonTransformer(**ENCODER)(torch.zeros(shape))


def contrast(head):
    return head(6).loss([torch.randn(4, 7)], torch.arange(4))


MAP = torch.zeros(2, 1, 16, 2, 5)  # of an encoder
PATCHES, NOISE = torch.zeros(2, 3, 2, 12), torch.zeros(2, 5)
TABLE = [
    # the encoder and its layers
    (lambda: SkeletonTransformer(embed_dims=10, num_heads=4), 'embed_dims=10 .* num_heads=4'),
    (lambda: SkeletonTransformer(num_frames=10), 'num_frames=10 must be .*tubelet_size=4'),
    (lambda: SkeletonTransformer(joint_patch_size=2), 'num_joints=25 must be'),
    (lambda: SkeletonTransformer(depth=2, frozen_stages=3), 'frozen_stages=3 .* depth=2'),
    (lambda: SkeletonTransformer(frozen_stages=-2), 'frozen_stages=-2 '),
    (lambda: encode(2, 8, 5, 3), r'takes \(N, M, T, V, C\)'),
    (lambda: encode(1, 2, 8, 6, 3), r'= \(8, 5, 3\) and got \(8, 6, 3\)'),
    (lambda: TransformerBlock(10, 4), 'embed_dims=10 .* num_heads=4'),
    (lambda: StreamPreprocessor('bones'), 'stream="bones" must be one of .*bone_motion'),
    (lambda: StreamPreprocessor('bone', 'mpii'), 'layout="mpii" is not known'),
    (lambda: StreamPreprocessor('bone', scale=0), 'scale must be positive: 0'),
    (lambda: StreamPreprocessor('bone').to_stream(CLIPS), 'have 5 joints, its layout 25'),
    # stage 1
    (lambda: mamp(motion_aware_tau=0), 'motion_aware_tau must be positive.*got 0'),
    (lambda: mamp().loss(CLIPS[0]), r'takes inputs of shape \(N, clips, M, T, V, C\)'),
    (lambda: mamp().loss(CLIPS[..., :7, :, :]), '7 frames .* tubelet_size=4'),
    (lambda: mamp().loss(CLIPS, noise=torch.rand(2, 10)), r'\(B, L\) = \(4, 10\), got \(2, 10'),
    (lambda: mamp('MAMPNNCLR', contrast_head=NNCLR, contrast_weight=0), 'contrast_weight .* got 0'),
    (lambda: graph_loss(4, 18), r'18 frames of 20 joints into a grid of 5 × 20.*\(20, 20, 3\)'),
    (lambda: graph_loss(2, 16), r'4 × 20.*\(8, 20, 3\) instead of \(16, 20, 3\).*temporal_stride'),
    (lambda: heads.MAMPHead('Clip'), "norm_target='Clip' must be True .*'clip' or False"),
    (lambda: heads.MAMPHead(motion_stride=0), 'motion_stride must .* got 0'),
    (lambda: heads.MAMPHead(motion_stride=8).target(CLIPS[0, 0]), 'motion_stride=8 .* 8 frames'),
    (lambda: necks.FramePredictor(temporal_stride=0), 'temporal_stride must be at least 1, got 0'),
    (lambda: necks.FramePredictor(joint_stride=-1), 'joint_stride must be at least 1, got -1'),
    (lambda: necks.FramePredictor(6)(torch.zeros(1, 7, 2, 5)), 'in_channels=6, .* has 7 channels'),
    (lambda: necks.MAMPDecoder(embed_dims=10, num_heads=4), 'embed_dims=10 .* num_heads=4'),
    (lambda: necks.MAMPCrossDecoder(3, 10, num_heads=4), 'embed_dims=10 .* num_heads=4'),
    (lambda: necks.MAMPCrossDecoder(predict_ratio=0), 'predict_ratio=0 must lie above 0'),
    (lambda: necks.MAMPCrossDecoder(predict_ratio=1.5), 'predict_ratio=1.5 must .* at most 1'),
    (lambda: patchify(CLIPS[0, 0], 3, 1), '8 frames and 5 joints cannot be cut .*tubelet_size=3'),
    (lambda: patchify(CLIPS[0, 0], 4, 4), 'joint_patch_size=4'),
    (lambda: mamp(mask_ratio=0.0), 'mask_ratio=0.0 must lie between'),
    (lambda: num_kept_tokens(10, 0.95), 'mask_ratio=0.95 keeps 0 of 10'),
    (lambda: num_kept_tokens(10, -0.2), 'mask_ratio=-0.2 keeps'),
    (lambda: random_masking(PATCHES, 0.5, NOISE), r'\(B, L\) = \(2, 6\)'),
    (lambda: motion_aware_masking(PATCHES, 0.5, 0.8, NOISE), r'\(B, L\) = \(2, 6\)'),
    # stage 2
    (lambda: heads.NNCLRHead(temperature=0.0), 'temperature must be positive: 0.0'),
    (lambda: heads.NNCLRHead(topk=-1), 'topk=-1 '),
    (lambda: heads.NNCLRHead(queue_size=8, topk=9), 'topk=9 .* queue_size=8'),
    (lambda: heads.NNCLRHead(queue_size=0), 'queue_size must be at least 1'),
    (lambda: heads.MoCoHead(temperature=0.0), 'temperature must be positive: 0.0'),
    (lambda: heads.DINOHead(student_temperature=0.0), 'student_temperature must be positive: 0'),
    (lambda: heads.DINOHead(teacher_temperature=-1), 'teacher_temperature must be positive: -1'),
    (lambda: heads.DINOHead(sinkhorn_iters=0), 'sinkhorn_iters must be positive: 0'),
    (lambda: heads.DINOHead(koleo_weight=-0.1), 'koleo_weight=-0.1'),
    (lambda: heads.DINOHead(centering='sinkhorn'), 'centering="sinkhorn" must be one of .*mean'),
    (lambda: contrast(heads.NNCLRHead), 'NNCLRHead has in_channels=6, .* 7 channels'),
    (lambda: contrast(heads.MoCoHead), 'MoCoHead has in_channels=6, .* 7 channels'),
    (lambda: contrast(heads.DINOHead), 'DINOHead has in_channels=6, .* 7 channels'),
    (lambda: FeatureQueue(4, 3).push(torch.randn(5, 3), torch.arange(5)), '5 f.* queue_size=4'),
    (lambda: koleo(torch.ones(1, 4)), 'got 1; set koleo_weight=0'),
    (lambda: MomentumTeacher(torch.nn.Linear(1, 1), 1.1), 'teacher_momentum=.*from 0 to 1'),
    (lambda: MomentumTeacher(torch.nn.Linear(1, 1), (0.9, 1.5)), 'teacher_momentum=.*from 0 to 1'),
    # classification
    (lambda: heads.LinearProbeHead(7, eps=0), 'eps must be positive: 0'),
    (lambda: heads.JointMLPHead(7, dropout=1.0), r'dropout=1\.0 must lie in \[0, 1'),
    (lambda: heads.JointMLPHead(7, label_smooth_eps=-0.1), 'label_smooth_eps=-0.1'),
    (lambda: heads.LinearProbeHead(7, 32)(MAP), 'in_channels=32, but the features have 16'),
    (
        lambda: heads.JointMLPHead(7, 16, num_joints=4)(MAP),
        'num_joints=4, .* 16 channels and 5 joints',
    ),
]


@pytest.mark.parametrize('call, message', TABLE, ids=[message[:30] for _, message in TABLE])
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_mamp_needs_an_encoder_of_a_part():
    with pytest.raises(TypeError, match='STGCN has no method "encode"'):
        mamp(backbone=STGCN)
    with pytest.raises(TypeError, match='a feature map.* MAMPCrossDecoder .* for MAMP'):
        mamp('InputMaskedMAMP', neck=dict(type='MAMPCrossDecoder'))
    with pytest.raises(TypeError, match='contrast_wieght'):
        mamp('MAMPNNCLR', contrast_head=NNCLR, contrast_wieght=1.0)
