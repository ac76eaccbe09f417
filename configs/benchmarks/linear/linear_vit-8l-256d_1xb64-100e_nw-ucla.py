_base_ = [
    '../../_base_/models/linear_vit-8l-256d.py',
    '../../_base_/datasets/nw-ucla.py',
    '../../_base_/schedules/linear_sgd_8xb32-100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_frames=64, num_joints=20), cls_head=dict(num_classes=10))

# 15 iterations an epoch: 1500 in all, a tenth of NTU-60's, which is why the
# learning rate stays that of the larger batch
train_dataloader = dict(batch_size=64, num_workers=4, persistent_workers=True)
auto_scale_lr = dict(base_batch_size=64)

# accuracy of the head, the last epoch's
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
val_evaluator = [dict(type='AccMetric')]
test_evaluator = val_evaluator
