_base_ = [
    '../_base_/models/mamp_vit-8l-256d.py',
    '../_base_/datasets/demo.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]

# small enough for a minute on a CPU: a quarter of the hidden tokens is
# predicted; of the 200 tokens a person has here, a tenth would be fewer than
# there are joints
model = dict(
    backbone=dict(embed_dims=64, depth=4, num_heads=4, num_frames=64, tubelet_size=8),
    neck=dict(type='MAMPCrossDecoder', embed_dims=64, depth=1, num_heads=4),
    head=dict(norm_target='clip'),
    mask_ratio=0.8,
    skip_absent=True,
)

train_dataloader = dict(batch_size=16)

# 45 iterations an epoch: 1350 in all
param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        begin=2,
        end=30,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=30, val_interval=30)
default_hooks = dict(checkpoint=dict(interval=10))
auto_scale_lr = dict(base_batch_size=16)
