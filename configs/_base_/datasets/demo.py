_base_ = ['ntu60-xsub.py']

# made by tools/data/make_demo.py
ann_file = 'data/skeleton/demo.pkl'
num_classes = 15

# no class is of one side, and a thousand clips hold too few of either
mirror = dict(
    type='RandomMirror',
    left=(4, 5, 6, 7, 12, 13, 14, 15, 21, 22),
    right=(8, 9, 10, 11, 16, 17, 18, 19, 23, 24),
)
train_pipeline = [
    dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
    dict(type='TemporalCropResize', clip_len=64, p_interval=(0.5, 1.0), min_frames=32),
    mirror,
    dict(type='RandomRot', theta=0.3),
    dict(type='FormatGCNInput', num_person=2, mode='zero'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
test_pipeline = [
    dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
    dict(type='TemporalCropResize', clip_len=64, p_interval=0.95),
    dict(type='FormatGCNInput', num_person=2, mode='zero'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file=ann_file, num_classes=num_classes, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(ann_file=ann_file, num_classes=num_classes, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_cfg = dict(bank_dataloader=val_dataloader)
test_cfg = dict(bank_dataloader=val_dataloader)
