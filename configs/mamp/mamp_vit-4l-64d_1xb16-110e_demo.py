_base_ = [
    '../_base_/models/mamp_vit-4l-64d.py',
    '../_base_/datasets/demo.py',
    '../_base_/schedules/mamp_adamw_8xb16-400e.py',
    '../_base_/default_runtime.py',
]

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
