_base_ = [
    '../../_base_/models/finetune_vit-4l-64d.py',
    '../../_base_/datasets/demo_accuracy.py',
    '../../_base_/schedules/finetune_adamw_1xb32-50e.py',
    '../../_base_/default_runtime.py',
]

# 22 iterations an epoch: 1100 in all
model = dict(cls_head=dict(num_classes=15))
