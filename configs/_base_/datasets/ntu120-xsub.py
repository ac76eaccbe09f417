_base_ = ['ntu60-xsub.py']

# an absent second person repeats the first one
train_pipeline = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=120, p_interval=(0.5, 1.0), min_frames=64),
    dict(type='RandomRot', theta=0.3),
    dict(type='FormatGCNInput', num_person=2, mode='loop'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
test_pipeline = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=120, p_interval=0.95),
    dict(type='FormatGCNInput', num_person=2, mode='loop'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]

data = dict(ann_file='data/skeleton/ntu120_3d.pkl', num_classes=120)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **data))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **data))
test_dataloader = val_dataloader
val_cfg = dict(bank_dataloader=val_dataloader)
test_cfg = dict(bank_dataloader=val_dataloader)
