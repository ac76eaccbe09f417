_base_ = ['../stars_ntu60.py']

# two views that differ as clips of other cameras do
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='PackViews',
                num_views=2,
                transforms=[
                    dict(type='CenterSkeleton', center_joint=1),
                    dict(
                        type='TemporalCropResize',
                        clip_len=120,
                        p_interval=(0.5, 1.0),
                        min_frames=64,
                    ),
                    dict(type='RandomRot', theta=(0.3, 0.6, 0.3)),
                ],
                num_person=2,
                mode='zero',
                meta_keys=('sample_idx', 'frame_dir'),
            )
        ]
    )
)
