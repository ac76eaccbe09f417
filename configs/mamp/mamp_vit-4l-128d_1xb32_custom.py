_base_ = [
    '../_base_/models/mamp_vit-8l-256d.py',
    '../_base_/datasets/custom.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]

# of the tokens of few joints, a tenth would be fewer than the joints
model = dict(
    backbone=_base_.encoder,
    neck=dict(embed_dims=64, depth=2, num_heads=4),
    mask_ratio=0.8,
    skip_absent=True,
)

warmup = max(_base_.pretrain_epochs // 30, 1)
param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=warmup, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.1,
        begin=warmup,
        end=max(_base_.pretrain_epochs, warmup + 1),
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(
    max_epochs=_base_.pretrain_epochs, val_interval=max(_base_.pretrain_epochs // 6, 1)
)
auto_scale_lr = dict(base_batch_size=_base_.batch_size)
del warmup
