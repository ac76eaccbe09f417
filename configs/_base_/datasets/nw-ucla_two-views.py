_base_ = ['nw-ucla.py']

# two mildly different views: with a thousand clips identical ones teach nothing
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='CenterSkeleton', center_joint=1, align=(4, 8)),
            dict(
                type='MultiView',
                num_views=2,
                transforms=[
                    dict(
                        type='TemporalCropResize', clip_len=64, p_interval=(0.5, 1.0), min_frames=24
                    ),
                    dict(type='RandomRot', theta=(0.3, 0.6, 0.3)),
                ],
            ),
            dict(type='FormatGCNInput', num_person=1),
            dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
        ]
    )
)
