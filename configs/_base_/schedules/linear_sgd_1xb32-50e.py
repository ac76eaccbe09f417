# for about a thousand clips: minutes on a CPU, and a tenth of NTU-60's
# iterations, which is why the learning rate stays that of the larger batch;
# the encoder comes by load_from
needs_pretrained = True

# without layer_decay, this constructor gives the optimizer all that is trained
# and nothing else
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0),
)

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

# the validations in between are for information: the last epoch counts
train_cfg = dict(by_epoch=True, max_epochs=50, val_begin=1, val_interval=10)

auto_scale_lr = dict(enable=False, base_batch_size=32)
