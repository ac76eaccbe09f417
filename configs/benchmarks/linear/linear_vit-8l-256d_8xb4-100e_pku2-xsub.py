_base_ = [
    '../../_base_/models/linear_vit-8l-256d.py',
    '../../_base_/datasets/pku2-xsub_accuracy.py',
    '../../_base_/schedules/linear_sgd_8xb32-100e.py',
    '../../_base_/default_runtime.py',
]

model = dict(cls_head=dict(num_classes=51))

train_dataloader = dict(batch_size=4)
optim_wrapper = dict(optimizer=dict(lr=0.01))
auto_scale_lr = dict(base_batch_size=32)
