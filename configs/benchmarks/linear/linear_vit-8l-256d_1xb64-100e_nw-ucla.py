_base_ = [
    '../../_base_/models/linear_vit-8l-256d.py',
    '../../_base_/datasets/nw-ucla_accuracy.py',
    '../../_base_/schedules/linear_sgd_8xb32-100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(backbone=dict(num_frames=64, num_joints=20), cls_head=dict(num_classes=10))

# 15 iterations an epoch: 1500 in all, a tenth of NTU-60's, which is why the
# learning rate stays that of the larger batch
train_dataloader = dict(batch_size=64, num_workers=4, persistent_workers=True)
auto_scale_lr = dict(base_batch_size=64)
