# the second half of the encoder, the final norm and the head are trained;
# weight decay 0.01 is what acted in the reference
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01),
    paramwise_cfg=dict(layer_decay=0.45, num_trainable_layers=4, decay_1d=True),
)

param_scheduler = []  # constant

train_cfg = dict(by_epoch=True, max_epochs=20, val_begin=1, val_interval=5)

custom_hooks = [dict(type='PerTensorGradClipHook', max_norm=3.0)]

# 8 processes × 16 clips
auto_scale_lr = dict(enable=False, base_batch_size=128)
