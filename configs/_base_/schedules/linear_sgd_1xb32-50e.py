_base_ = ['linear_sgd_8xb32-100e.py']

# for about a thousand clips: minutes on a CPU, and a tenth of NTU-60's
# iterations, which is why the learning rate stays that of the larger batch
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        begin=0,
        end=50,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=50)

auto_scale_lr = dict(base_batch_size=32)
