_base_ = ['custom.py']

# two mildly different views: with few clips identical ones teach nothing
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            *_base_.begin,
            dict(
                type='MultiView',
                num_views=2,
                transforms=[*_base_.crop, dict(type='RandomRot', theta=(0.3, 0.6, 0.3))],
            ),
            *_base_.end,
        ]
    )
)
