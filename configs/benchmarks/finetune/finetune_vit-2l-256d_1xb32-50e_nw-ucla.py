_base_ = [
    '../../_base_/models/finetune_vit-8l-256d.py',
    '../../_base_/datasets/nw-ucla_warped.py',
    '../../_base_/schedules/finetune_adamw_1xb32-50e.py',
    '../../_base_/default_runtime.py',
]

# 31 iterations an epoch: 1550 in all
model = dict(backbone=_base_.encoder, cls_head=dict(num_classes=10, in_channels=256, num_joints=20))
train_dataloader = dict(batch_size=32)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
