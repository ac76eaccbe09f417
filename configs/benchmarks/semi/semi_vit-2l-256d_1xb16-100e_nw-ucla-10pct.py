_base_ = [
    '../../_base_/models/finetune_vit-8l-256d.py',
    '../../_base_/datasets/nw-ucla_warped.py',
    '../../_base_/schedules/finetune_adamw_8xb6-100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=_base_.encoder, cls_head=dict(num_classes=10, in_channels=256, num_joints=20))

# 102 clips, 6 iterations an epoch. The first of five draws:
# python tools/data/draw_subset.py data/skeleton/nw-ucla.pkl xview_train
# data/skeleton/subsets
train_dataloader = dict(
    batch_size=16,
    dataset=dict(subset='data/skeleton/subsets/nw-ucla_xview_train_10pct_random_seed0_draw0.txt'),
)
train_cfg = dict(val_interval=50)
auto_scale_lr = dict(base_batch_size=16)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
