_base_ = [
    '../../_base_/models/linear_vit-8l-256d.py',
    '../../_base_/datasets/pku2-xsub.py',
    '../../_base_/schedules/linear_sgd_8xb32-100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51))

train_dataloader = dict(batch_size=4)
optim_wrapper = dict(optimizer=dict(lr=0.01))
auto_scale_lr = dict(base_batch_size=32)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
