"""Views made in the data preprocessor train the same model."""

import copy

import pytest
import torch


def deferred(pipeline: list) -> list:
    """A pipeline that ends with PackViews in place of the transforms."""
    center, *steps, slots, pack = copy.deepcopy(pipeline)
    num_views = 1
    if steps[0]['type'] == 'MultiView':
        num_views, steps = steps[0]['num_views'], steps[0]['transforms']
    return [
        dict(
            type='PackViews',
            transforms=[center, *steps],
            num_views=num_views,
            num_person=slots['num_person'],
            mode=slots['mode'],
            meta_keys=pack['meta_keys'],
        )
    ]


@pytest.mark.parametrize('name', ['mamp', 'stars'])
@pytest.mark.parametrize('num_workers', [0, 2])
def test_same_training(load_cfg, build, trained, tmp_path, name, num_workers):
    weights = {}
    for kind in ('plain', 'deferred'):
        cfg = load_cfg(
            tmp_path / kind,
            {
                'train_cfg.max_epochs': 1,
                'stages': [],
                'val_cfg': None,
                'val_dataloader': None,
                'val_evaluator': None,
                'param_scheduler': [],
                'randomness': dict(seed=3),
            },
            name,
        )
        # Adam would make steps of the rounding of gradients that are zero
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.05)
        cfg.load_from = str(trained / 'pretrain/epoch_4.pth')
        if kind == 'deferred':
            loader = cfg.train_dataloader
            loader.dataset.pipeline = deferred(loader.dataset.pipeline)
            loader.num_workers = num_workers
            loader.persistent_workers = num_workers > 0
            loader.collate_fn = dict(type='collate_clips')
        runner = build(cfg)
        start = copy.deepcopy(runner.model.backbone.state_dict())
        runner.train()
        weights[kind] = runner.model.state_dict()
        assert any(
            (weights[kind][f'backbone.{key}'] != value).any() for key, value in start.items()
        )
    torch.testing.assert_close(weights['deferred'], weights['plain'], rtol=1e-4, atol=1e-6)


def test_a_dataset_that_does_not_fit_is_found(load_cfg, build, tmp_path):
    """The checks before training see the shape of what is to be made."""
    cfg = load_cfg(tmp_path, name='mamp')
    dataset = cfg.train_dataloader.dataset
    dataset.pipeline = deferred(dataset.pipeline)
    dataset.pipeline[0]['transforms'][1]['clip_len'] = 12
    with pytest.raises(ValueError, match='have 12 frames.*num_frames=8'):
        build(cfg).train()
    dataset.pipeline[0]['transforms'][1]['clip_len'] = 8
    dataset.pipeline[0]['num_person'] = 1
    with pytest.raises(ValueError, match='Set num_person=2 in'):
        build(cfg).train()
