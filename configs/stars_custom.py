_base_ = [
    '_base_/models/stars_vit-8l-256d.py',
    '_base_/datasets/custom.py',
    '_base_/schedules/stars_adamw_8xb16-20e.py',
    '_base_/default_runtime.py',
]

# one's own recordings: what is yours to change stands at the top of
# _base_/datasets/custom.py, where all stages and protocols read it

stages = [dict(name='pretrain', config='mamp/mamp_vit-4l-128d_1xb32_custom.py', options={})]

protocols = dict(
    linear='benchmarks/linear/linear_vit-4l-128d_1xb32-50e_custom.py',
    finetune='benchmarks/finetune/finetune_vit-4l-128d_1xb32-50e_custom.py',
)

# small enough for minutes on a CPU
model = dict(
    backbone=_base_.encoder, head=dict(in_channels=128, hidden_channels=1024, queue_size=512)
)

train_dataloader = dict(dataset=dict(pipeline=_base_.two_views_pipeline))

# every block at the same learning rate
optim_wrapper = dict(
    optimizer=dict(lr=5e-4), paramwise_cfg=dict(layer_decay=1.0, num_trainable_layers=4)
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        begin=0,
        end=_base_.tune_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=_base_.tune_epochs, val_interval=max(_base_.tune_epochs // 4, 1))
auto_scale_lr = dict(base_batch_size=_base_.batch_size)
