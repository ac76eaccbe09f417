_base_ = ['mamp_vit-8l-256d_8xb16-400e_ntu60-xsub.py']

# absent persons are not learned from, see docs/speed.md
model = dict(skip_absent=True)

# the same clips: workers read and draw, the GPU crops, resizes and turns
train_dataloader = dict(
    pin_memory=True,
    prefetch_factor=4,
    collate_fn=dict(type='collate_clips'),
    dataset=dict(
        pipeline=[
            dict(
                type='PackViews',
                transforms=_base_.train_pipeline[:3],
                num_person=2,
                mode='zero',
                meta_keys=('sample_idx', 'frame_dir'),
            )
        ]
    ),
)
