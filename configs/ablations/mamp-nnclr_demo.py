_base_ = [
    '../_base_/models/stars_vit-8l-256d.py',
    '../_base_/datasets/demo.py',
    '../_base_/schedules/stars_adamw_8xb16-20e.py',
    '../_base_/default_runtime.py',
]

stages = [dict(name='pretrain', config='mamp/mamp_vit-4l-64d_1xb16-110e_demo.py', options={})]

protocols = dict(
    linear='benchmarks/linear/linear_vit-4l-64d_1xb32-50e_demo.py',
    finetune='benchmarks/finetune/finetune_vit-4l-64d_1xb32-50e_demo.py',
    semi='benchmarks/semi/semi_vit-4l-64d_1xb16-100e_demo-10pct.py',
)

# small enough for minutes on a CPU
model = dict(
    backbone=dict(embed_dims=64, depth=4, num_heads=4, num_frames=64, tubelet_size=8),
    head=dict(in_channels=64, hidden_channels=512, queue_size=512),
)

train_dataloader = dict(dataset=dict(pipeline=_base_.two_views_pipeline))

# 22 iterations an epoch: 352 in all, every block at the same learning rate
optim_wrapper = dict(
    optimizer=dict(lr=5e-4), paramwise_cfg=dict(layer_decay=1.0, num_trainable_layers=4)
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        begin=0,
        end=16,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=16, val_interval=8)
auto_scale_lr = dict(base_batch_size=32)
