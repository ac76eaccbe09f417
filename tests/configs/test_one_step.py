"""Every config trains and tests a step: its own pipeline, loader, losses and optimizer, with
narrow layers, on made-up clips."""

import numpy as np
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

WIDTH = 8


def narrow(model: dict) -> None:
    """Narrow layers and few tokens, all else as it is."""
    backbone = model.backbone
    if backbone.type == 'SkeletonTransformer':
        backbone.update(embed_dims=WIDTH, num_heads=2, tubelet_size=backbone.num_frames // 4)
        if 'neck' in model:
            model.neck.update(embed_dims=WIDTH, num_heads=2)
        width = WIDTH
    else:
        # the branches of 'mstcn' share the channels
        backbone.base_channels = 16 if backbone.get('tcn_type') == 'mstcn' else 4
        width = 4 * backbone.base_channels  # doubled twice
        if 'neck' in model:
            model.neck.in_channels = width
    for name in ('head', 'contrast_head', 'cls_head'):
        head = model.get(name, {})
        if 'in_channels' in head:
            head.in_channels = width
        if head.get('type') in ('NNCLRHead', 'MoCoHead', 'DINOHead', 'JointMLPHead'):
            head.hidden_channels = WIDTH
        if head.get('type') in ('NNCLRHead', 'MoCoHead'):
            head.queue_size = 8


def first_batch(loader: dict, batch_size: int = 2) -> dict:
    options = dict(batch_size=batch_size, num_workers=0, persistent_workers=False, pin_memory=False)
    return next(iter(Runner.build_dataloader({**loader, **options}, seed=0)))


def frozen(name: str, cfg: Config) -> bool:
    """Whether a parameter must stay, by its name."""
    if not name.startswith('backbone.'):
        return False
    if cfg.model.type == 'FrozenRecognizerGCN':
        return True
    trained = cfg.optim_wrapper.get('paramwise_cfg', {}).get('num_trainable_layers')
    if trained is None or name.startswith('backbone.norm.'):
        return False
    if name.startswith('backbone.blocks.'):
        return int(name.split('.')[2]) < cfg.model.backbone.depth - trained
    return True  # the embeddings


def take_a_step(cfg: Config) -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    narrow(cfg.model)
    model = MODELS.build(cfg.model)
    optimizer = {k: v for k, v in cfg.optim_wrapper.items() if k not in ('dtype', 'loss_scale')}
    optim_wrapper = build_optim_wrapper(model, dict(optimizer, type='OptimWrapper'))
    before = {name: param.detach().clone() for name, param in model.named_parameters()}
    batch_size = 2
    if hasattr(model, 'head') and hasattr(model.head, 'set_targets'):  # by a hook, before training
        model.head.set_targets(torch.randn(100, WIDTH))
        batch_size = 4  # two about their mean are always opposite
    batch = first_batch(cfg.train_dataloader, batch_size)
    losses = model.train_step(batch, optim_wrapper)
    assert all(torch.as_tensor(value).isfinite().all() for value in losses.values())
    for name, param in model.named_parameters():
        changed = not torch.equal(param, before[name])
        if frozen(name, cfg):
            assert not changed, f'{name} is frozen'
        elif param.dim() > 1 and 'teacher' not in name and 'gcn' not in name:
            assert changed, f'{name} is not trained'

    model.eval()
    loaders = [cfg.test_dataloader]
    if cfg.test_cfg.type == 'FeatureTestLoop':
        loaders.append(cfg.test_cfg.bank_dataloader)
    for loader in loaders:
        for sample in model.test_step(first_batch(loader)):
            if 'cls_head' in cfg.model:
                assert sample.pred_score.shape == (cfg.num_classes,)
            else:
                assert sample.feature.isfinite().all() and sample.feature.std() > 0


def test_one_step(any_config, read):
    take_a_step(read(any_config))


def test_novel_classes_are_found_by_name(read):
    """The 60 actions that NTU-60 lacks, in the file of all 120."""
    cfg = read('benchmarks/fewshot/fewshot_vit-8l-256d_ntu60-to-ntu120.py')
    for loader, times in ((cfg.test_dataloader, 1), (cfg.test_cfg.bank_dataloader, 2)):
        clips = DATASETS.build(loader.dataset)
        found = sorted(clips.get_data_info(n)['label'] for n in range(len(clips)))
        assert found == sorted(list(range(60, 120)) * times)
