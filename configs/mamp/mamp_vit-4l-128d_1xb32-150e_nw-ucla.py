_base_ = [
    '../_base_/models/mamp_vit-8l-256d.py',
    '../_base_/datasets/nw-ucla.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]

# small enough for minutes on a CPU
model = dict(
    backbone=dict(
        embed_dims=128, depth=4, num_heads=4, num_frames=64, num_joints=20, tubelet_size=8
    ),
    neck=dict(embed_dims=64, depth=2, num_heads=4),
)

# 31 iterations an epoch: 4650 in all
param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=5, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.1,
        begin=5,
        end=150,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=150, val_interval=25)
auto_scale_lr = dict(base_batch_size=32)
