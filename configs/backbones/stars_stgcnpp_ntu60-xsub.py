_base_ = ['../stars_ntu60.py', '../_base_/models/stgcnpp.py']

stages = [dict(name='pretrain', config='backbones/mamp_stgcnpp_ntu60-xsub.py', options={})]
protocols = dict(_delete_=True, linear='backbones/linear_stgcnpp_ntu60-xsub.py')

model = dict(backbone=_base_.backbone)

# no layer is frozen: its batch norms would keep the statistics of stage 1's
# masked clips
optim_wrapper = dict(paramwise_cfg=dict(num_trainable_layers=None))
