_base_ = [
    '../../_base_/models/finetune_vit-4l-128d.py',
    '../../_base_/datasets/nw-ucla_accuracy.py',
    '../../_base_/schedules/finetune_adamw_1xb32-50e.py',
    '../../_base_/default_runtime.py',
]

# 31 iterations an epoch: 1550 in all
model = dict(backbone=dict(num_joints=20), cls_head=dict(num_classes=10, num_joints=20))
