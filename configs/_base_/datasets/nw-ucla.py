# 39 frames on average, one person, three views that a turn makes alike
ann_file = 'data/skeleton/nw-ucla.pkl'
num_classes = 10

begin = [dict(type='CenterSkeleton', center_joint=1, align=(4, 8))]
crop = dict(type='TemporalCropResize', clip_len=64, p_interval=(0.5, 1.0), min_frames=24)
end = [
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
train_pipeline = [*begin, crop, dict(type='RandomRot', theta=0.3), *end]
# stage 2: two mildly different views; of a thousand clips, identical ones teach
# nothing
two_views_pipeline = [
    *begin,
    dict(
        type='MultiView',
        num_views=2,
        transforms=[crop, dict(type='RandomRot', theta=(0.3, 0.6, 0.3))],
    ),
    *end,
]
test_pipeline = [*begin, dict(type='TemporalCropResize', clip_len=64, p_interval=0.95), *end]
del begin, crop, end

loader = dict(num_workers=0, persistent_workers=False)
data = dict(type='SkeletonDataset', ann_file=ann_file, num_classes=num_classes)
train_dataloader = dict(
    batch_size=32,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='xview_train', pipeline=train_pipeline, **data),
    **loader,
)
loader.update(batch_size=64, sampler=dict(type='DefaultSampler', shuffle=False))
data.update(pipeline=test_pipeline, test_mode=True)
val_dataloader = dict(dataset=dict(split='xview_val', **data), **loader)
test_dataloader = val_dataloader
bank_dataloader = dict(dataset=dict(split='xview_train', **data), **loader)
del data, loader

val_cfg = dict(type='FeatureValLoop', bank_dataloader=bank_dataloader)
test_cfg = dict(type='FeatureTestLoop', bank_dataloader=bank_dataloader)
del bank_dataloader
# reported: uniform votes; monitored in training: also weighted ones
val_evaluator = [
    dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)),
    dict(type='KNNMetric', topk_neighbors=(10, 20, 40), temperature=0.1),
]
test_evaluator = [dict(type='KNNMetric', topk_neighbors=(1, 2, 5, 10)), dict(type='ClusterMetric')]
