_base_ = ['finetune_adamw_8xb6-100e.py']

# for about a thousand clips
param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=3, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=1e-5 / 3e-4,
        begin=3,
        end=50,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=50)

auto_scale_lr = dict(base_batch_size=32)
