_base_ = [
    '_base_/models/similarity_vit-2l-256d.py',
    '_base_/datasets/custom.py',
    '_base_/schedules/similarity_adamw_1xb48.py',
    '_base_/default_runtime.py',
]

# one's own recordings: what is yours to change stands at the top of
# _base_/datasets/custom.py, where all stages and protocols read it

stages = [
    dict(name='pretrain', config='similarity/similarity_vit-2l-256d_1xb48_custom.py', options={})
]

protocols = dict(
    linear='benchmarks/linear/linear_vit-2l-256d_1xb32-50e_custom.py',
    finetune='benchmarks/finetune/finetune_vit-2l-256d_1xb32-50e_custom.py',
)

model = dict(backbone=_base_.encoder)
custom_hooks = [
    dict(
        type='SimilarityTargetHook',
        dataloader=_base_.test_cfg.bank_dataloader,
        feature_space='geometry_pulled',
    ),
    dict(type='BaselineHook'),
]

optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [dict(_base_.param_scheduler[0], end=_base_.tune_epochs)]
train_cfg = dict(max_epochs=_base_.tune_epochs, val_interval=_base_.tune_epochs)
default_hooks = dict(logger=dict(interval=10))
auto_scale_lr = dict(base_batch_size=_base_.batch_size)
