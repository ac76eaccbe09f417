_base_ = [
    '../_base_/models/mamp_vit-8l-256d.py',
    '../_base_/datasets/demo.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]

# small enough for minutes on a CPU; of the 200 tokens a person has here, a
# tenth would be fewer than there are joints
model = dict(
    backbone=dict(embed_dims=64, depth=4, num_heads=4, num_frames=64, tubelet_size=8),
    neck=dict(embed_dims=64, depth=1, num_heads=4),
    mask_ratio=0.8,
    skip_absent=True,
)

train_dataloader = dict(batch_size=16)

# 45 iterations an epoch: 4950 in all, of which the first thousand pass before
# the loss leaves the plateau of still joints
param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        begin=2,
        end=110,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=110, val_interval=55)
default_hooks = dict(checkpoint=dict(interval=11))
auto_scale_lr = dict(base_batch_size=16)
