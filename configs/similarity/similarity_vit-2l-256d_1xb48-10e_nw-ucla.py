_base_ = [
    '../_base_/models/similarity_vit-2l-256d.py',
    '../_base_/datasets/nw-ucla_warped.py',
    '../_base_/schedules/similarity_adamw_1xb48.py',
    '../_base_/default_runtime.py',
]

# views with a third of their tokens hidden are taught the similarities of the
# whole clips' geometry
allow_random_init = True
custom_hooks = [
    dict(
        type='SimilarityTargetHook',
        dataloader=_base_.val_cfg.bank_dataloader,
        feature_space='geometry',
    ),
    dict(type='BaselineHook'),
]

# 21 iterations an epoch: 210 in all
param_scheduler = [dict(_base_.param_scheduler[0], end=10)]
train_cfg = dict(max_epochs=10, val_interval=10)
