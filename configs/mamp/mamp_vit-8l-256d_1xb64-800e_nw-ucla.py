_base_ = [
    '../_base_/models/mamp_vit-8l-256d.py',
    '../_base_/datasets/nw-ucla.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_frames=64, num_joints=20), neck=dict(depth=3))

train_dataloader = dict(batch_size=64, num_workers=4, persistent_workers=True)

# 15 iterations an epoch: 12 000 in all
param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=40, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.1,
        begin=40,
        end=800,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=800, val_interval=50)
default_hooks = dict(checkpoint=dict(interval=50))
auto_scale_lr = dict(base_batch_size=64)
