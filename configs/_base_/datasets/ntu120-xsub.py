ann_file = 'data/skeleton/ntu120_3d.pkl'
num_classes = 120

# workers read and draw; the model's SkeletonPreprocessor centres, crops,
# resizes and turns the whole batch, on the GPU where there is one
# an absent second person repeats the first one
pack = dict(num_person=2, mode='loop', meta_keys=('sample_idx', 'frame_dir'))
train_pipeline = [
    dict(
        type='PackViews',
        transforms=[
            dict(type='CenterSkeleton', center_joint=1),
            dict(type='TemporalCropResize', clip_len=120, p_interval=(0.5, 1.0), min_frames=64),
            dict(type='RandomRot', theta=0.3),
        ],
        **pack,
    )
]
# stage 2: two identical views, so one; the whole clip without augmentation
whole_clip_pipeline = [
    dict(
        type='PackViews',
        transforms=[
            dict(type='CenterSkeleton', center_joint=1),
            dict(type='TemporalCropResize', clip_len=120, p_interval=1.0),
        ],
        **pack,
    )
]
test_pipeline = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=120, p_interval=0.95),
    dict(type='FormatGCNInput', num_person=2, mode='loop'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]

loader = dict(
    num_workers=4, persistent_workers=True, pin_memory=True, collate_fn=dict(type='collate_clips')
)
data = dict(type='SkeletonDataset', ann_file=ann_file, num_classes=num_classes)
train_dataloader = dict(
    batch_size=16,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='xsub_train', pipeline=train_pipeline, **data),
    **loader,
)
loader.update(batch_size=32, sampler=dict(type='DefaultSampler', shuffle=False))
data.update(pipeline=test_pipeline, test_mode=True)
val_dataloader = dict(dataset=dict(split='xsub_val', **data), **loader)
test_dataloader = val_dataloader
bank_dataloader = dict(dataset=dict(split='xsub_train', **data), **loader)
del data, loader, pack

val_cfg = dict(type='FeatureValLoop', bank_dataloader=bank_dataloader)
test_cfg = dict(type='FeatureTestLoop', bank_dataloader=bank_dataloader)
del bank_dataloader
# reported: uniform votes; monitored in training: also weighted ones
val_evaluator = [
    dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)),
    dict(type='KNNMetric', topk_neighbors=(10, 20, 40), temperature=0.1),
]
test_evaluator = [dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)), dict(type='ClusterMetric')]
