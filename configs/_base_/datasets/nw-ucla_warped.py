# NW-UCLA with time redrawn by motion, for the small recipe
_base_ = ['nw-ucla.py']

encoder = dict(
    embed_dims=256,
    depth=2,
    num_heads=4,
    num_frames=64,
    num_joints=20,
    tubelet_size=8,
    mean_share=0.7,
    gate_scale=3.0,
    residual_scale=0.1,
)

begin = [dict(type='CenterSkeleton', center_joint=1, align=(4, 8))]
crop = dict(type='TemporalCropResize', clip_len=64, p_interval=(0.9, 1.0), min_frames=16)
whole = dict(type='TemporalCropResize', clip_len=64, p_interval=0.95)
warp = dict(type='MotionTimeWarp')
end = [
    dict(type='FormatGCNInput', num_person=1),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
# nearly the whole clip, nearly as it stands
train_pipeline = [*begin, crop, warp, dict(type='RandomRot', theta=(0.05, 0.3, 0.05)), *end]
test_pipeline = [*begin, whole, warp, *end]
del begin, crop, end, warp, whole

train_dataloader = dict(batch_size=48, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_cfg = dict(bank_dataloader=dict(dataset=dict(pipeline=test_pipeline)))
test_cfg = val_cfg
