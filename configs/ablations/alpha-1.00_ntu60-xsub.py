_base_ = ['../stars_ntu60.py']

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=1.00))
