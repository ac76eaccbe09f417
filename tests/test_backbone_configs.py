"""Configs of other backbones: their parts and stages fit together."""

from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from stars_mm.engine.runner.checks import check_handover, check_pretrained
from stars_mm.engine.runner.stages import (
    build_stage_cfg,
    find_stage_config,
    without_mixed_precision,
)
from stars_mm.preparation.layouts import NW_UCLA

CONFIGS = Path(__file__).parents[1] / 'configs'
BACKBONES = CONFIGS / 'backbones'
STARS = sorted(path.stem for path in BACKBONES.glob('stars_*.py'))


@pytest.fixture(autouse=True)
def scope():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def load(path):
    cfg = Config.fromfile(path)
    cfg.randomness = dict(seed=0)
    return cfg


def batch(cfg, num_samples=2):
    """Random clips of the shape that the test pipeline makes."""
    steps = {step.type: step for step in cfg.test_dataloader.dataset.pipeline}
    M = steps['FormatGCNInput'].num_person
    T = steps['TemporalCropResize'].clip_len
    V = 20 if 'nw-ucla' in cfg.train_dataloader.dataset.ann_file else 25
    samples = []
    for i in range(num_samples):
        sample = ActionDataSample(metainfo=dict(sample_idx=i))
        samples.append(sample.set_gt_label(i))
    return torch.randn(num_samples, 1, M, T, V, 3), samples


@pytest.mark.parametrize('name', STARS)
def test_both_stages(name):
    cfg = load(BACKBONES / f'{name}.py')
    cfg.model.head.update(hidden_channels=8, queue_size=8)
    (stage,) = [build_stage_cfg(cfg, stage, 'wd') for stage in cfg.stages]
    model, tuned = MODELS.build(stage.model), MODELS.build(cfg.model)
    check_handover(model, tuned, stage.filename)
    inputs, samples = batch(cfg)
    with torch.no_grad():
        assert model.loss(inputs)['loss'].isfinite()
        assert tuned.loss(inputs, samples)['loss'].isfinite()
    build_optim_wrapper(tuned, without_mixed_precision(cfg.optim_wrapper))
    assert all(param.requires_grad for param in tuned.parameters())


@pytest.mark.parametrize('name', STARS)
def test_protocols_take_the_encoder(name):
    cfg = load(BACKBONES / f'{name}.py')
    encoder = MODELS.build(cfg.model)
    assert 'linear' in cfg.protocols
    for path in cfg.protocols.values():
        benchmark = load(find_stage_config(path, cfg))
        model = MODELS.build(benchmark.model)
        check_handover(encoder, model, cfg.filename)
        with pytest.raises(ValueError, match='pretrained encoder'):
            check_pretrained(benchmark, model, initialised=False)
        with torch.no_grad():
            losses = model.loss(*batch(benchmark))
        assert losses['loss_cls'].isfinite()
        data, own = (c.train_dataloader.dataset for c in (benchmark, cfg))
        assert (data.ann_file, data.split) == (own.ann_file, own.split)


def test_the_transformer_under_gcn_head():
    cfg = load(BACKBONES / 'gcnhead_vit-8l-256d_ntu60-xsub.py')
    model = MODELS.build(cfg.model)
    assert type(model).__name__ == 'RecognizerGCN'
    inputs, samples = batch(cfg)
    model.loss(inputs, samples)['loss_cls'].backward()
    assert all(param.grad is not None for param in model.parameters())
    found = model.eval().predict(inputs, samples)
    assert found[0].pred_score.shape == (60,)
    stars = MODELS.build(load(CONFIGS / 'stars_ntu60.py').model)
    check_handover(stars, model, cfg.filename)


def test_the_graph_of_nw_ucla_is_the_packages():
    for name in ('stars', 'mamp', 'linear', 'finetune'):
        cfg = load(BACKBONES / f'{name}_stgcnpp-16c_nw-ucla.py')
        layout = cfg.model.backbone.graph_cfg.layout.to_dict()
        assert {**layout, 'inward': [*map(tuple, layout['inward'])]} == NW_UCLA
