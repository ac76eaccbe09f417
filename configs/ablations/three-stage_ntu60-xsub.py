_base_ = ['../stars_ntu60.py']

# 20 epochs of the head alone, then 10 of head and encoder
stages = _base_.stages + [
    dict(
        name='head',
        config='stars_ntu60.py',
        options=dict(stages=None, model=dict(backbone=dict(frozen_stages=8))),
    )
]
train_cfg = dict(max_epochs=10)
