dataset_type = 'SkeletonDataset'
ann_file = 'data/skeleton/ntu60_3d.pkl'
num_classes = 60

train_pipeline = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=120, p_interval=(0.5, 1.0), min_frames=64),
    dict(type='RandomRot', theta=0.3),
    dict(type='FormatGCNInput', num_person=2, mode='zero'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
test_pipeline = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=120, p_interval=0.95),
    dict(type='FormatGCNInput', num_person=2, mode='zero'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        ann_file=ann_file,
        split='xsub_train',
        num_classes=num_classes,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        ann_file=ann_file,
        split='xsub_val',
        num_classes=num_classes,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
bank_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        ann_file=ann_file,
        split='xsub_train',
        num_classes=num_classes,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

val_cfg = dict(type='FeatureValLoop', bank_dataloader=bank_dataloader)
test_cfg = dict(type='FeatureTestLoop', bank_dataloader=bank_dataloader)
# reported: uniform votes; monitored in training: also weighted ones
val_evaluator = [
    dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)),
    dict(type='KNNMetric', topk_neighbors=(10, 20, 40), temperature=0.1),
]
test_evaluator = [dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)), dict(type='ClusterMetric')]
