_base_ = [
    '../_base_/models/similarity_vit-2l-256d.py',
    '../_base_/datasets/union.py',
    '../_base_/schedules/similarity_adamw_1xb48.py',
    '../_base_/default_runtime.py',
]

allow_random_init = True
model = dict(backbone=dict(num_joints=15))
custom_hooks = [
    dict(type='SimilarityTargetHook', dataloader=_base_.whole_dataloader, feature_space='geometry')
]

# some 120 iterations an epoch
param_scheduler = [dict(_base_.param_scheduler[0], end=5)]
train_cfg = dict(max_epochs=5, val_interval=5)
