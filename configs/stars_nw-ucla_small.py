_base_ = [
    '_base_/models/stars_vit-4l-128d.py',
    '_base_/datasets/nw-ucla_two-views.py',
    '_base_/schedules/stars_adamw_8xb16-20e.py',
    '_base_/default_runtime.py',
]

stages = [dict(name='pretrain', config='mamp/mamp_vit-4l-128d_1xb32-150e_nw-ucla.py', options={})]

protocols = dict(
    linear='benchmarks/linear/linear_vit-4l-128d_1xb32-50e_nw-ucla.py',
    finetune='benchmarks/finetune/finetune_vit-4l-128d_1xb32-50e_nw-ucla.py',
    semi='benchmarks/semi/semi_vit-4l-128d_1xb16-100e_nw-ucla-10pct.py',
)

model = dict(backbone=dict(num_joints=20))

# 31 iterations an epoch: 248 in all, every block at the same learning rate
optim_wrapper = dict(
    optimizer=dict(lr=5e-4), paramwise_cfg=dict(layer_decay=1.0, num_trainable_layers=4)
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        begin=0,
        end=8,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=8, val_interval=2)
auto_scale_lr = dict(base_batch_size=32)
