# made by tools/data/make_demo.py
ann_file = 'data/skeleton/demo.pkl'
num_classes = 15

begin = [dict(type='CenterSkeleton', center_joint=1, align=(4, 8))]
# no class is of one side, and a thousand clips hold too few of either
crop = [
    dict(type='TemporalCropResize', clip_len=64, p_interval=(0.5, 1.0), min_frames=32),
    dict(
        type='RandomMirror',
        left=(4, 5, 6, 7, 12, 13, 14, 15, 21, 22),
        right=(8, 9, 10, 11, 16, 17, 18, 19, 23, 24),
    ),
]
end = [
    dict(type='FormatGCNInput', num_person=2, mode='zero'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
train_pipeline = [*begin, *crop, dict(type='RandomRot', theta=0.3), *end]
two_views_pipeline = [
    *begin,
    dict(
        type='MultiView',
        num_views=2,
        transforms=[*crop, dict(type='RandomRot', theta=(0.3, 0.6, 0.3))],
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
    dataset=dict(split='xsub_train', pipeline=train_pipeline, **data),
    **loader,
)
loader.update(batch_size=64, sampler=dict(type='DefaultSampler', shuffle=False))
data.update(pipeline=test_pipeline, test_mode=True)
val_dataloader = dict(dataset=dict(split='xsub_val', **data), **loader)
test_dataloader = val_dataloader
bank_dataloader = dict(dataset=dict(split='xsub_train', **data), **loader)
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
