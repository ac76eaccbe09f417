_base_ = [
    '../../_base_/models/linear_vit-8l-256d.py',
    '../../_base_/datasets/nw-ucla.py',
    '../../_base_/schedules/linear_sgd_1xb32-50e.py',
    '../../_base_/default_runtime.py',
]

# 31 iterations an epoch: 1550 in all
model = dict(
    backbone=dict(
        embed_dims=128, depth=4, num_heads=4, num_frames=64, num_joints=20, tubelet_size=8
    ),
    cls_head=dict(num_classes=10, in_channels=128),
)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
