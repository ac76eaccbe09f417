optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05)
)

param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=20, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.5,
        begin=20,
        end=400,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]

train_cfg = dict(by_epoch=True, max_epochs=400, val_begin=1, val_interval=20)

# 8 processes × 16 clips
auto_scale_lr = dict(enable=False, base_batch_size=128)
