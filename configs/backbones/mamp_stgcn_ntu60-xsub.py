_base_ = ['../mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py']

# hidden patches are overwritten at the input
model = dict(
    type='InputMaskedMAMP',
    backbone=dict(
        _delete_=True, type='STGCN', graph_cfg=dict(layout='nturgb+d', mode='stgcn_spatial')
    ),
    neck=dict(_delete_=True, type='FramePredictor', in_channels=256),
    mask_ratio=0.6,
)
