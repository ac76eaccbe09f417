"""The head alone is tuned before head and encoder are."""

import pytest
import torch


def load(path):
    return torch.load(path)['state_dict']


def test_each_stage_trains_its_part(load_cfg, build, trained, tmp_path):
    cfg = load_cfg(tmp_path, {'train_cfg.max_epochs': 2})
    cfg.stages = [
        *cfg.stages,
        dict(
            name='head',
            config=cfg.filename,
            options=dict(
                stages=None,
                model=dict(backbone=dict(frozen_stages=2)),
                train_cfg=dict(max_epochs=3),
            ),
        ),
    ]
    build(cfg).train()
    assert torch.load(tmp_path / 'head/epoch_3.pth')['meta']['epoch'] == 3
    first = load(tmp_path / 'pretrain/epoch_4.pth')
    head = load(tmp_path / 'head/epoch_3.pth')
    last = load(tmp_path / 'epoch_2.pth')
    for name in head:
        if name.startswith('backbone.'):
            assert torch.equal(first[name], head[name]), name
            tuned = name.startswith(('backbone.blocks.1.', 'backbone.norm.'))
            assert torch.equal(head[name], last[name]) != tuned, name
    # 20 entries, 4 clips × 5 iterations × 3 and then 2 epochs
    assert head['head.queue.ptr'].tolist() == [60 % 20]
    assert last['head.queue.ptr'].tolist() == [100 % 20]
    assert (last['head.queue.ids'] >= 0).all()
    assert not torch.equal(head['head.predictor.0.weight'], last['head.predictor.0.weight'])


def test_it_can_be_resumed(load_cfg, build, tmp_path, assert_same_run):
    def load_three(work_dir, **options):
        cfg = load_cfg(work_dir, {'train_cfg.max_epochs': 2, **options})
        cfg.stages[0].options = dict(train_cfg=dict(max_epochs=1))
        cfg.stages = [
            *cfg.stages,
            dict(
                name='head',
                config=cfg.filename,
                options=dict(
                    stages=None,
                    model=dict(backbone=dict(frozen_stages=2)),
                    train_cfg=dict(max_epochs=2),
                ),
            ),
        ]
        return cfg

    build(load_three(tmp_path / 'whole')).train()
    cfg = load_three(tmp_path / 'stopped')
    cfg.stages[1].options.custom_hooks = [*cfg.custom_hooks, dict(type='Interrupt', epoch=1)]
    with pytest.raises(KeyboardInterrupt):
        build(cfg).train()
    build(load_three(tmp_path / 'stopped', resume=True)).train()
    for folder in ('', 'head'):
        assert_same_run(tmp_path / 'stopped' / folder, tmp_path / 'whole' / folder, 2)
