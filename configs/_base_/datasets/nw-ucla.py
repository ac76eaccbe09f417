_base_ = ['ntu60-xsub.py']

# 39 frames on average, one person, three views that a turn makes alike
ann_file = 'data/skeleton/nw-ucla.pkl'
num_classes = 10

train_pipeline = [
    dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
    dict(type='TemporalCropResize', clip_len=64, p_interval=(0.5, 1.0), min_frames=24),
    dict(type='RandomRot', theta=0.3),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
test_pipeline = [
    dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
    dict(type='TemporalCropResize', clip_len=64, p_interval=0.95),
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=ann_file, split='xview_train', num_classes=num_classes, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=ann_file, split='xview_val', num_classes=num_classes, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
bank_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        ann_file=ann_file, split='xview_train', num_classes=num_classes, pipeline=test_pipeline
    ),
)
val_cfg = dict(bank_dataloader=bank_dataloader)
test_cfg = dict(bank_dataloader=bank_dataloader)
