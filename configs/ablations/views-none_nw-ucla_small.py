_base_ = ['../stars_nw-ucla_small.py']

# as published: two identical views, so one, without augmentation
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
            dict(type='TemporalCropResize', clip_len=64, p_interval=1.0),
            dict(type='FormatGCNInput', num_person=1),
            dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
        ]
    )
)
