_base_ = [
    '../mamp/mamp_vit-4l-128d_1xb32-150e_nw-ucla.py',
    '../_base_/models/stgcnpp-16c_nw-ucla.py'
]

# hidden patches are overwritten at the input
model = dict(
    type='InputMaskedMAMP',
    backbone=_base_.backbone,
    neck=dict(_delete_=True, type='FramePredictor', in_channels=64),
    head=dict(tubelet_size=8),
    mask_ratio=0.6)
