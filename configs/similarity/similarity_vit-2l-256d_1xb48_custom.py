_base_ = [
    '../_base_/models/similarity_vit-2l-256d.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/similarity_adamw_1xb48.py',
    '../_base_/default_runtime.py',
]

allow_random_init = True
model = dict(backbone=dict(_base_.encoder, init_cfg=_base_.init_cfg))
custom_hooks = [
    dict(
        type='SimilarityTargetHook',
        dataloader=_base_.test_cfg.bank_dataloader,
        feature_space='geometry',
    ),
    dict(type='BaselineHook'),
]

param_scheduler = [dict(_base_.param_scheduler[0], end=_base_.pretrain_epochs)]
train_cfg = dict(max_epochs=_base_.pretrain_epochs, val_interval=_base_.pretrain_epochs)
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=max(_base_.pretrain_epochs // 4, 1))
)
auto_scale_lr = dict(base_batch_size=_base_.batch_size)
