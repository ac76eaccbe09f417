_base_ = [
    '_base_/models/stars_vit-8l-256d.py',
    '_base_/datasets/demo.py',
    '_base_/schedules/similarity_adamw_1xb48.py',
    '_base_/default_runtime.py',
]

stages = [dict(name='pretrain', config='mamp/mamp_vit-4l-64d_1xb16-30e_demo.py', options={})]

protocols = dict(
    linear='benchmarks/linear/linear_vit-4l-64d_1xb32-50e_demo.py',
    finetune='benchmarks/finetune/finetune_vit-4l-64d_1xb32-50e_demo.py',
    semi='benchmarks/semi/semi_vit-4l-64d_1xb16-100e_demo-10pct.py',
)

# small enough for seconds on a CPU; tuned to the geometry of mutual nearest
# neighbors, as stars_nw-ucla_small.py. The paper's two stages at this size are
# ablations/mamp-nnclr_demo.py
model = dict(
    backbone=dict(embed_dims=64, depth=4, num_heads=4, num_frames=64, tubelet_size=8),
    head=dict(_delete_=True, type='SimilarityHead'),
    keep_ratio=0.7,
)
custom_hooks = [
    dict(
        type='SimilarityTargetHook',
        dataloader=_base_.val_cfg.bank_dataloader,
        feature_space='geometry_pulled',
    )
]

# 22 iterations an epoch: 176 in all
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [dict(_base_.param_scheduler[0], end=8)]
train_cfg = dict(max_epochs=8, val_interval=8)
auto_scale_lr = dict(base_batch_size=32)
