_base_ = ['../stars_nw-ucla_small.py']

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.45))
