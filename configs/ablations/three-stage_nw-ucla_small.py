_base_ = ['mamp-nnclr_nw-ucla_small.py']

# twice as many epochs of the head alone come before head and encoder
stages = _base_.stages + [
    dict(
        name='head',
        config='ablations/mamp-nnclr_nw-ucla_small.py',
        options=dict(
            stages=None,
            model=dict(backbone=dict(frozen_stages=4)),
            param_scheduler=[],
            train_cfg=dict(max_epochs=2 * _base_.train_cfg.max_epochs),
        ),
    )
]
