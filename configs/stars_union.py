_base_ = [
    '_base_/models/similarity_vit-2l-256d.py',
    '_base_/datasets/union.py',
    '_base_/schedules/similarity_adamw_1xb48.py',
    '_base_/default_runtime.py',
]

# one encoder for all recordings at hand; what is trained on stands at the top
# of _base_/datasets/union.py
stages = [
    dict(name='pretrain', config='similarity/similarity_vit-2l-256d_1xb48_union.py', options={})
]

model = dict(backbone=dict(num_joints=15))
custom_hooks = [
    dict(
        type='SimilarityTargetHook',
        dataloader=_base_.whole_dataloader,
        feature_space='geometry_pulled',
    )
]

optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [dict(_base_.param_scheduler[0], end=1)]
train_cfg = dict(max_epochs=1, val_interval=1)
