_base_ = ['../mamp/mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py', '../_base_/models/aagcn.py']

# hidden patches are overwritten at the input
model = dict(
    type='InputMaskedMAMP',
    backbone=_base_.backbone,
    neck=dict(_delete_=True, type='FramePredictor', in_channels=256),
    mask_ratio=0.6,
)
