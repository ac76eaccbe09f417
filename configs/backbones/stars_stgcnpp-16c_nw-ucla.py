_base_ = ['../ablations/mamp-nnclr_nw-ucla_small.py', '../_base_/models/stgcnpp-16c_nw-ucla.py']

stages = [dict(name='pretrain', config='backbones/mamp_stgcnpp-16c_nw-ucla.py', options={})]
protocols = dict(
    _delete_=True,
    linear='backbones/linear_stgcnpp-16c_nw-ucla.py',
    finetune='backbones/finetune_stgcnpp-16c_nw-ucla.py',
)

model = dict(backbone=_base_.backbone, head=dict(in_channels=64))

# no layer is frozen: its batch norms would keep the statistics of stage 1's
# masked clips
optim_wrapper = dict(paramwise_cfg=dict(num_trainable_layers=None))
