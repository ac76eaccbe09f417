_base_ = [
    '../_base_/models/stars_vit-8l-256d.py',
    '../_base_/datasets/ntu120-xsub.py',
    '../_base_/schedules/stars_adamw_8xb16-20e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='CenterSkeleton', center_joint=1),
            dict(type='TemporalCropResize', clip_len=120, p_interval=1.0),
            dict(type='FormatGCNInput', num_person=2, mode='loop'),
            dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
        ]
    )
)
# on a GPU; a CPU computes in single precision and compiles nothing
optim_wrapper = dict(
    type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0, paramwise_cfg=dict(layer_decay=0.40)
)
compile = True
