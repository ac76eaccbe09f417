_base_ = ['../stars_ntu60.py']

# 20 epochs of the head alone, then 10 of head and encoder
stages = _base_.stages + [
    dict(
        name='head',
        config='stars/stars_vit-8l-256d_8xb16-20e_ntu60-xsub.py',
        options=dict(model=dict(backbone=dict(frozen_stages=8))),
    )
]
train_cfg = dict(max_epochs=10)
