_base_ = [
    '../../_base_/models/finetune_vit-8l-256d.py',
    '../../_base_/datasets/ntu120-xsub.py',
    '../../_base_/schedules/finetune_adamw_8xb6-100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=120))

train_dataloader = dict(batch_size=6)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
