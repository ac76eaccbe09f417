_base_ = ['mamp-nnclr_nw-ucla_small.py']

stages = []
allow_random_init = True

# all of the encoder, for as long as both stages take
optim_wrapper = dict(paramwise_cfg=dict(num_trainable_layers=None))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        begin=0,
        end=158,
        by_epoch=True,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=158, val_interval=25)
