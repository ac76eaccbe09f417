_base_ = [
    '_base_/models/stars_vit-8l-256d.py',
    '_base_/datasets/nw-ucla.py',
    '_base_/schedules/stars_adamw_8xb16-20e.py',
    '_base_/default_runtime.py',
]

stages = [dict(name='pretrain', config='mamp/mamp_vit-8l-256d_1xb64-800e_nw-ucla.py', options={})]

protocols = dict(
    linear='benchmarks/linear/linear_vit-8l-256d_1xb64-100e_nw-ucla.py',
    finetune='benchmarks/finetune/finetune_vit-8l-256d_1xb48-100e_nw-ucla.py',
    semi='benchmarks/semi/semi_vit-8l-256d_1xb16-100e_nw-ucla-10pct.py',
)

model = dict(backbone=dict(num_frames=64, num_joints=20), head=dict(queue_size=512))

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    dataset=dict(pipeline=_base_.two_views_pipeline),
)

# 15 iterations an epoch: 300 in all
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(layer_decay=1.0))
auto_scale_lr = dict(base_batch_size=64)
