_base_ = [
    '../_base_/models/stars_vit-8l-256d.py',
    '../_base_/datasets/nw-ucla.py',
    '../_base_/schedules/stars_adamw_8xb16-20e.py',
    '../_base_/default_runtime.py',
]

stages = [dict(name='pretrain', config='mamp/mamp_vit-4l-128d_1xb32-150e_nw-ucla.py', options={})]

protocols = dict(
    linear='benchmarks/linear/linear_vit-4l-128d_1xb32-50e_nw-ucla.py',
    finetune='benchmarks/finetune/finetune_vit-4l-128d_1xb32-50e_nw-ucla.py',
    semi='benchmarks/semi/semi_vit-4l-128d_1xb16-100e_nw-ucla-10pct.py',
)

# small enough for minutes on a CPU
model = dict(
    backbone=dict(
        embed_dims=128, depth=4, num_heads=4, num_frames=64, num_joints=20, tubelet_size=8
    ),
    head=dict(in_channels=128, hidden_channels=1024, queue_size=512),
)

train_dataloader = dict(dataset=dict(pipeline=_base_.two_views_pipeline))

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
