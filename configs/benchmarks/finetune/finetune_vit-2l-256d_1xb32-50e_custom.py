_base_ = [
    '../../_base_/models/finetune_vit-8l-256d.py',
    '../../_base_/datasets/custom.py',
    '../../_base_/schedules/finetune_adamw_1xb32-50e.py',
    '../../_base_/default_runtime.py',
]

if _base_.num_classes is None:
    raise ValueError(f'ann_file={_base_.ann_file!r}: no clip has a label to be learned.')
model = dict(
    backbone=_base_.encoder,
    cls_head=dict(
        num_classes=_base_.num_classes, in_channels=256, num_joints=_base_.encoder['num_joints']
    ),
)
train_dataloader = dict(batch_size=_base_.protocol_batch_size)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=_base_.protocol_batch_size)
