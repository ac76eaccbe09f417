"""Views made in the data preprocessor train the same model."""

import copy

import pytest
import torch


def planned(pipeline: list) -> list:
    """A pipeline that ends with PackViews in place of the transforms."""
    center, *steps, slots, pack = copy.deepcopy(pipeline)
    num_views = 1
    if steps[0]['type'] == 'MultiView':
        num_views, steps = steps[0]['num_views'], steps[0]['transforms']
    views = dict(transforms=[center, *steps], num_views=num_views)
    return [{**slots, **pack, **views, 'type': 'PackViews'}]


@pytest.mark.parametrize('name, num_workers', [('mamp', 2), ('stars', 0)])
def test_same_training(load_cfg, build, trained, tmp_path, name, num_workers):
    options = dict(val_cfg=None, val_dataloader=None, val_evaluator=None, stages=[])
    options.update({'train_cfg.max_epochs': 1, 'param_scheduler': [], 'randomness.seed': 3})
    weights = {}
    for kind in ('one by one', 'planned'):
        cfg = load_cfg(tmp_path / kind, options, name)
        # Adam would make steps of the rounding of gradients that are zero
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.05)
        cfg.load_from = str(trained / 'pretrain/epoch_4.pth')
        if kind == 'planned':
            loader = cfg.train_dataloader
            loader.dataset.pipeline = planned(loader.dataset.pipeline)
            loader.num_workers = num_workers
            loader.persistent_workers = False
            loader.collate_fn = dict(type='collate_clips')
        runner = build(cfg)
        start = copy.deepcopy(runner.model.backbone.state_dict())
        runner.train()
        weights[kind] = runner.model.state_dict()
        moved = [(weights[kind][f'backbone.{key}'] != v).any() for key, v in start.items()]
        assert any(moved)
    torch.testing.assert_close(weights['planned'], weights['one by one'], rtol=1e-4, atol=1e-6)


def test_a_dataset_that_does_not_fit_is_found(load_cfg, build, tmp_path):
    """The checks before training see the shape of what is to be made."""
    cfg = load_cfg(tmp_path, name='mamp')
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = planned(dataset.pipeline)
    dataset.pipeline[0]['transforms'][1]['clip_len'] = 12
    with pytest.raises(ValueError, match='have 12 frames.*num_frames=8'):
        build(cfg).train()
    dataset.pipeline[0]['transforms'][1]['clip_len'] = 8
    dataset.pipeline[0]['num_person'] = 1
    with pytest.raises(ValueError, match='Set num_person=2 in'):
        build(cfg).train()
