_base_ = ['../stars_demo.py']

optim_wrapper = dict(paramwise_cfg=dict(layer_decay=0.45))
