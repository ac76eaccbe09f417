_base_ = ['../stars_nw-ucla_small.py']

# two views from any side, of a fifth of the clip or more
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
            dict(
                type='MultiView',
                num_views=2,
                transforms=[
                    dict(
                        type='TemporalCropResize', clip_len=64, p_interval=(0.2, 1.0), min_frames=8
                    ),
                    dict(type='RandomRot', theta=(0.6, 3.14, 0.6)),
                ],
            ),
            dict(type='FormatGCNInput', num_person=1),
            dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
        ]
    )
)
