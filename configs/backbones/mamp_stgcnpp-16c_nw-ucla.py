_base_ = [
    '../mamp/mamp_vit-4l-128d_1xb32-150e_nw-ucla.py',
    '../_base_/models/stgcnpp-16c_nw-ucla.py',
]

# hidden patches are overwritten at the input
model = dict(
    type='InputMaskedMAMP',
    backbone=_base_.backbone,
    neck=dict(_delete_=True, type='FramePredictor', in_channels=64),
    head=dict(tubelet_size=8),
    mask_ratio=0.6,
)

# every frame of every joint is worked on, so a step costs ten of the
# transformer's: 40 epochs instead of 150
param_scheduler = [
    dict(type='LinearWarmupLR', begin=0, end=2, by_epoch=True, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.1,
        begin=2,
        end=40,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=40, val_interval=20)
