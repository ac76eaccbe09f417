_base_ = [
    '_base_/models/similarity_vit-2l-256d.py',
    '_base_/datasets/nw-ucla_warped.py',
    '_base_/schedules/similarity_adamw_1xb48.py',
    '_base_/default_runtime.py',
]

# minutes on a CPU; the paper's two stages at this size are
# ablations/mamp-nnclr_nw-ucla_small.py
stages = [
    dict(
        name='pretrain', config='similarity/similarity_vit-2l-256d_1xb48-10e_nw-ucla.py', options={}
    )
]

protocols = dict(
    linear='benchmarks/linear/linear_vit-2l-256d_1xb32-50e_nw-ucla.py',
    finetune='benchmarks/finetune/finetune_vit-2l-256d_1xb32-50e_nw-ucla.py',
    semi='benchmarks/semi/semi_vit-2l-256d_1xb16-100e_nw-ucla-10pct.py',
)

# tuned to the geometry of mutual nearest neighbors
custom_hooks = [
    dict(
        type='SimilarityTargetHook',
        dataloader=_base_.val_cfg.bank_dataloader,
        feature_space='geometry_pulled',
    ),
    dict(type='BaselineHook'),
]

# 21 iterations an epoch: 63 in all
optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = [dict(_base_.param_scheduler[0], end=3)]
train_cfg = dict(max_epochs=3, val_interval=3)
