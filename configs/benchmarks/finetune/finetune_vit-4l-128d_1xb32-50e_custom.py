_base_ = [
    '../../_base_/models/finetune_vit-4l-128d.py',
    '../../_base_/datasets/custom_accuracy.py',
    '../../_base_/schedules/finetune_adamw_1xb32-50e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    backbone=_base_.encoder,
    cls_head=dict(num_classes=_base_.num_classes, num_joints=_base_.encoder['num_joints']),
)
