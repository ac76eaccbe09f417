"""SkeletonPreprocessor under mmaction2's recognizers: planned views train and test the same."""

import copy
import random

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper

from stars_mm.datasets import SkeletonDataset, collate_clips

CENTER = dict(type='CenterSkeleton', center_joint=1)
META = dict(meta_keys=('sample_idx', 'frame_dir'))
CROPS = dict(
    train=dict(type='TemporalCropResize', clip_len=8, min_frames=4),
    test=dict(type='TemporalCropResize', clip_len=8, p_interval=0.95),
)


def pipelines(mode):
    """The transforms one by one, and the same ones planned."""
    steps = [CENTER, CROPS[mode]] + [dict(type='RandomRot', theta=0.3)] * (mode == 'train')
    slots = dict(num_person=2, mode='zero')
    pack = [dict(type='FormatGCNInput', **slots), dict(type='PackActionInputs', **META)]
    return [*steps, *pack], [dict(type='PackViews', transforms=steps, **slots, **META)]


def batch(write, clips, pipeline, collate):
    dataset = SkeletonDataset(write(clips), pipeline)
    dataset.set_epoch(2, seed=1)
    return collate([dataset[n] for n in range(len(dataset))])


@pytest.fixture
def recognizer(encoder_cfg):
    def _recognizer(kind, preprocessor):
        torch.manual_seed(0)
        head = 'GCNHead' if kind == 'RecognizerGCN' else 'LinearProbeHead'
        parts = dict(
            cls_head=dict(type=head, num_classes=3, in_channels=16),
            data_preprocessor=dict(type=f'mmaction.{preprocessor}'),
        )
        return MODELS.build(dict(type=kind, backbone=encoder_cfg(), **parts))

    return _recognizer


@pytest.mark.parametrize('kind', ['RecognizerGCN', 'FrozenRecognizerGCN'])
def test_recognizers_with_planned_views(recognizer, write, clips, kind):
    """Loss, weights after a step, scores and labels are those of the stock pipeline."""
    found = {}
    for name, preprocessor, collate, place in (
        ('stock', 'ActionDataPreprocessor', pseudo_collate, 0),
        ('planned', 'SkeletonPreprocessor', collate_clips, 1),
    ):
        model = recognizer(kind, preprocessor)
        start = copy.deepcopy(model.cls_head.state_dict())
        optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.5))
        model.train()
        losses = model.train_step(batch(write, clips, pipelines('train')[place], collate), optim)
        weights = model.state_dict()
        assert any((weights[f'cls_head.{key}'] != value).any() for key, value in start.items())
        samples = model.eval().test_step(batch(write, clips, pipelines('test')[place], collate))
        found[name] = dict(
            loss=losses['loss'],
            weights=weights,
            scores=torch.stack([sample.pred_score for sample in samples]),
            labels=torch.cat([sample.gt_label for sample in samples]),
        )
        assert [sample.frame_dir for sample in samples] == [clip['frame_dir'] for clip in clips]
    assert found['planned']['labels'].tolist() == [clip['label'] for clip in clips]
    assert found['stock']['scores'].std(0).min() > 1e-5  # clips differ
    torch.testing.assert_close(found['planned'], found['stock'], rtol=1e-4, atol=1e-5)


def test_blending_is_for_training(write, clips):
    blending = dict(type='MixupBlending', num_classes=3, alpha=0.5)
    model = MODELS.build(dict(type='SkeletonPreprocessor', blending=blending))
    data = batch(write, clips, pipelines('test')[1], collate_clips)
    plain = model(copy.deepcopy(data), training=False)
    torch.manual_seed(0), np.random.seed(0), random.seed(0)
    mixed = model(copy.deepcopy(data), training=True)
    assert mixed['inputs'].shape == plain['inputs'].shape == (6, 1, 2, 8, 5, 3)
    assert not torch.equal(mixed['inputs'], plain['inputs'])
    assert mixed['data_samples'][0].gt_label.shape == (3,)
