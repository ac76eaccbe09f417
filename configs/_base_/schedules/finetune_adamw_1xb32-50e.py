# for about a thousand clips; the encoder comes by load_from
needs_pretrained = True

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=3e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(layer_decay=0.8, decay_1d=False),
)

# to 1e-5, and each layer's rate to its share of it
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

# the validations in between are for information: the last epoch counts
train_cfg = dict(by_epoch=True, max_epochs=50, val_begin=1, val_interval=10)

auto_scale_lr = dict(enable=False, base_batch_size=32)
