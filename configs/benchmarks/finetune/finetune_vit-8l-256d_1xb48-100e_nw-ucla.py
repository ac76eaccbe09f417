_base_ = [
    '../../_base_/models/finetune_vit-8l-256d.py',
    '../../_base_/datasets/nw-ucla.py',
    '../../_base_/schedules/finetune_adamw_8xb6-100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(num_frames=64, num_joints=20), cls_head=dict(num_classes=10, num_joints=20)
)

# 21 iterations an epoch: 2100 in all
train_dataloader = dict(batch_size=48, num_workers=4, persistent_workers=True)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
