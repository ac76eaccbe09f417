_base_ = [
    '_base_/models/stars_vit-8l-256d.py',
    '_base_/datasets/pku1-xsub.py',
    '_base_/schedules/stars_adamw_8xb16-20e.py',
    '_base_/default_runtime.py',
]

stages = [dict(name='pretrain', config='mamp/mamp_vit-8l-256d_8xb16-400e_pku1-xsub.py', options={})]

protocols = dict(
    linear='benchmarks/linear/linear_vit-8l-256d_8xb16-100e_pku1-xsub.py',
    finetune='benchmarks/finetune/finetune_vit-8l-256d_8xb6-100e_pku1-xsub.py',
    transfer='benchmarks/transfer/transfer_vit-8l-256d_8xb6-100e_pku2-xsub.py',
)

# two identical views, so one: the whole clip, without augmentation
train_dataloader = dict(dataset=dict(pipeline=_base_.whole_clip_pipeline))

optim_wrapper = dict(optimizer=dict(lr=1e-4), paramwise_cfg=dict(layer_decay=0.35))
